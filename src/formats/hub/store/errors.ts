/** @file The ways in which storing a model fails. Each message is meant for the user. */

/** The bytes that came don't have the announced hash or length. They have been deleted. */
export class IntegrityError extends Error {
  override name = 'IntegrityError';
}

/** There is not enough space for the model; the message has the numbers. */
export class NoRoomError extends Error {
  override name = 'NoRoomError';
}

/** Another tab, or this one, is downloading or deleting the model. */
export class ModelBusyError extends Error {
  override name = 'ModelBusyError';
}
