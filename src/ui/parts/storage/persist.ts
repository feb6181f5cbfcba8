/** @file Asking the browser not to delete what is stored when disk space is low. */
import { t } from '../../../i18n';

/** @returns what to tell the user if the browser didn't agree; empty if it did */
export async function askToPersist(storage: Pick<StorageManager, 'persist'> | undefined): Promise<string> {
  const granted = await storage?.persist?.().catch(() => false);
  return granted ? '' : t('persistence.refused');
}
