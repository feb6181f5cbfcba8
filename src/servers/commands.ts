/** @file What the commands that people copy into a terminal have in common. */

/** The text as one word of a POSIX shell, quoted where needed. */
export const shellWord = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The repository of DeepSeek R1 on the Hub; the names of its variants begin with it. */
export const DEEPSEEK_R1 = 'deepseek-ai/DeepSeek-R1';

/** Makes a key and prints it, so that every user has a key of their own. */
export const MAKE_KEY = 'KEY=$(openssl rand -hex 16); echo "$KEY"';
export const USE_KEY = '--api-key "$KEY"';
