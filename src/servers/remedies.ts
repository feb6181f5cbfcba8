/** @file What lets a page talk to each kind of server: the exact flag or setting, for this page's origin. */
import { TRAINING, type AnyKind } from './server';

export interface Remedy {
  /** What to do, as a sentence. */
  text: string;
  /** To be typed, where there is something. */
  command?: string;
}

/** A word for a POSIX shell, whatever is in it. */
export const shellWord = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** How a server is told to answer pages of `origin`, with a key too where `key`. */
export function corsRemedies(kind: AnyKind, origin: string, key = false): Remedy[] {
  const page = shellWord(origin);
  switch (kind) {
    case 'vllm':
      return [
        {
          text: 'Start vLLM with this flag added.',
          command: `--allowed-origins ${shellWord(JSON.stringify([origin]))}`,
        },
      ];
    case 'sglang':
      return [
        {
          text: 'SGLang itself answers every page, so something in front of it (a proxy) does not pass that on: let the proxy send this header, and answer OPTIONS.',
          command: `Access-Control-Allow-Origin: ${origin}`,
        },
      ];
    case 'llamacpp':
      return [
        {
          text: 'Start llama-server with these flags added; without the second, pages can send no key. A build that knows neither answers every page.',
          command: `--cors-origins ${page} --cors-headers "Authorization,Content-Type"`,
        },
      ];
    case 'ollama':
    case 'ollama-v1':
      return [
        {
          text: 'Stop Ollama and start it with this page allowed (Linux, macOS in a terminal).',
          command: `OLLAMA_ORIGINS=${page} ollama serve`,
        },
        {
          text: 'As an app on macOS: set this, then start the app again.',
          command: `launchctl setenv OLLAMA_ORIGINS ${page}`,
        },
        { text: 'On Windows: set this, then start Ollama again.', command: `setx OLLAMA_ORIGINS "${origin}"` },
        {
          text: 'As a service on Linux: add this line under [Service] with `systemctl edit ollama`, then `systemctl restart ollama`.',
          command: `Environment="OLLAMA_ORIGINS=${origin}"`,
        },
      ];
    case 'tgi':
      return key
        ? [
            {
              text: 'TGI lets pages send no key, whatever its flags: its CORS rules allow the header Content-Type alone. Start it without a key behind something else that keeps strangers out (a tunnel, a proxy that adds the key), and with this flag.',
              command: `--cors-allow-origin ${page}`,
            },
          ]
        : [{ text: 'Start TGI with this flag added.', command: `--cors-allow-origin ${page}` }];
    case 'transformers':
      return [
        {
          text: 'Start transformers serve with this flag added. It lets every page ask, so only on a machine that others can’t reach.',
          command: '--enable-cors',
        },
      ];
    case TRAINING:
      return [{ text: 'Start the sidecar with this page on its list.', command: `--origin ${page}` }];
    case 'deepseek':
    case 'openai':
      return [
        {
          text: 'The server has to send these headers, to OPTIONS requests too; what sets them is in its manual. A proxy in front of it can do so.',
          command: `Access-Control-Allow-Origin: ${origin}\nAccess-Control-Allow-Headers: Authorization, Content-Type`,
        },
      ];
  }
}

/** How a server of that kind is told its key. */
export function keyRemedy(kind: AnyKind): Remedy {
  switch (kind) {
    case 'vllm':
    case 'sglang':
    case 'llamacpp':
      return { text: 'Give the key that the server was started with.', command: '--api-key …' };
    case 'tgi':
      return {
        text: 'Give the key that the server was started with. A browser can’t send it to TGI: see CORS.',
        command: '--api-key …',
      };
    case TRAINING:
      return { text: 'Give the token that the sidecar was started with, as the key.', command: '--token-file FILE' };
    case 'deepseek':
      return { text: 'Make a key at platform.deepseek.com and give it here.' };
    case 'ollama':
    case 'ollama-v1':
    case 'transformers':
      return { text: 'This kind of server asks for no key itself; the key is that of the proxy in front of it.' };
    case 'openai':
      return { text: 'Give the key of your account at this server.' };
  }
}

/** The kind that mostly listens on a port. */
export function kindOfPort(url: string): AnyKind {
  const { port } = new URL(url);
  const kinds: Readonly<Record<string, AnyKind>> = {
    '8000': 'vllm',
    '30000': 'sglang',
    '8080': 'llamacpp',
    '11434': 'ollama',
    '3000': 'tgi',
    '8790': TRAINING,
  };
  return Object.hasOwn(kinds, port) ? kinds[port]! : 'openai';
}
