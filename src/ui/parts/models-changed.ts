/** @file Tells the pages that stay loaded when the models on this device have changed. */

const changes = new EventTarget();

/** To be called after a model was stored, imported or deleted. */
export function notifyModelsChanged(): void {
  changes.dispatchEvent(new Event('change'));
}

/** @returns a function that ends the notifications */
export function onModelsChanged(listener: () => void): () => void {
  changes.addEventListener('change', listener);
  return () => changes.removeEventListener('change', listener);
}
