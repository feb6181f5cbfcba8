/** @file The program of the disposable worker, which reads untrusted files and ends after one of them. */
import { expose } from 'comlink';
import { CheckHost } from './check-host';
import { registerTransfers } from './transfer';

registerTransfers();
expose(new CheckHost());
