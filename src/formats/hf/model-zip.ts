/** @file A model or an adapter that comes as a zip. */
import { unpackZip } from '../../base/zip';
import { maxModelFileBytes } from './file-names';

/** The files of a zipped model or adapter by path; whatever else is in the zip stays packed. @throws ZipError */
export const unpackModelZip = (archive: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> =>
  unpackZip(archive, { files: 1000, bytes: 2 ** 31, wanted: maxModelFileBytes });
