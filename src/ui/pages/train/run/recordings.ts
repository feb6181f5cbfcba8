/** @file The recorded runs that come with the app, for people without a GPU and for comparing. */
export interface RecordingEntry {
  name: string;
  title: string;
}

/** Empty if there are none or the list can't be read. */
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
