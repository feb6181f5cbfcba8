/** @file What the states of pages have in common: a failure becomes a sentence on the page. */
import { messageOf } from '../../base/errors';

export class ReportsProblems {
  /** The last error, for the user; empty when there is none. */
  problem = $state('');

  /**
   * Runs an action and reports its failure in `problem`.
   * @param describe the sentence for an error
   * @returns whether it succeeded
   */
  async attempt(action: () => Promise<void>, describe: (error: unknown) => string = messageOf): Promise<boolean> {
    this.problem = '';
    try {
      await action();
      return true;
    } catch (error) {
      this.problem = describe(error);
      return false;
    }
  }
}
