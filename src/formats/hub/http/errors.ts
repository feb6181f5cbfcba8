/** @file The ways in which a download from a web server fails for good. Each message is meant for the user. */

/** The server can't provide this file, and trying again would not help. */
export class DownloadError extends Error {
  override name = 'DownloadError';
}

/** The file is gone, or it is not the one that was announced, so the bytes downloaded so far are useless. */
export class WrongFileError extends DownloadError {
  override name = 'WrongFileError';
}

/** The connection failed on every attempt. The bytes downloaded so far are good, and resuming later may work. */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
}
