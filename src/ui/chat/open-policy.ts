/** @file Opens a model to talk to, on the engine's worker. A module of its own, so that the page loads without it. */
import { engine, type ClosablePolicy } from '../../worker/client';

/** @throws Error with a message for the user: no GPU, no such model, not enough memory */
export const openPolicy = (model: string): Promise<ClosablePolicy> => engine().openPolicy(model);
