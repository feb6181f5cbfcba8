/**
 * @file Protects people from a page that shows this one in a frame and tricks them into clicking: in a frame, what can't be
 * undone, takes files in or hands out a key is refused, with an offer to open the app in a tab of its own. Hosts can forbid
 * frames altogether (docs/hosting.md); this holds where they don't.
 */

/** Whether another page shows this one. Comparing is allowed across origins, unlike looking at the other page. */
const isFramed = (): boolean => typeof window !== 'undefined' && window.top !== window.self;

export class FrameGuard {
  /** Whether something was refused, which the notice below the header then explains. */
  refused = $state(false);

  constructor(private readonly framed: () => boolean = isFramed) {}

  /** Asked before a dangerous action. @returns whether it must not be done here */
  refuses(): boolean {
    if (!this.framed()) return false;
    this.refused = true;
    return true;
  }
}

export const frameGuard = new FrameGuard();
