/** @file The recorded runs that are served with the app, for those without a GPU and for comparing. */
export interface RecordingEntry {
  name: string;
  title: string;
}

/** Empty when none are served here or the list can't be read. */
export async function listRecordings(): Promise<RecordingEntry[]> {
  try {
    const response = await fetch('recordings/index.json');
    const list: unknown = await response.json();
    return Array.isArray(list) ? list.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is RecordingEntry {
  const entry = value as Partial<RecordingEntry> | null;
  return typeof entry === 'object' && typeof entry?.name === 'string' && typeof entry.title === 'string';
}
