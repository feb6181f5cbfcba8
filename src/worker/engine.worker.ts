/** @file The worker's program: the engine, exposed to the page through Comlink (see client.ts for the other side). */
import { expose } from 'comlink';
import { EngineHost } from './host';
import { engineParts } from './parts';

expose(new EngineHost(engineParts));
