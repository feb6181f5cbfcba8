/** @file The colour scheme: the system's unless the user chose one. Stored in localStorage where that is allowed. */
export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'tinythink:theme';
const ORDER: readonly ThemeChoice[] = ['system', 'light', 'dark'];

function stored(): ThemeChoice {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((choice) => choice === value) ?? 'system';
  } catch {
    return 'system';
  }
}

class Theme {
  choice = $state<ThemeChoice>(stored());

  /** Sets the choice on the root element, where theme.css reads it. */
  apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.choice;
  }

  /** system → light → dark → system. */
  next(): void {
    this.choice = ORDER[(ORDER.indexOf(this.choice) + 1) % ORDER.length] ?? 'system';
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // Storage is blocked. The choice lasts until the page is closed.
    }
    this.apply();
  }
}

export const theme = new Theme();
