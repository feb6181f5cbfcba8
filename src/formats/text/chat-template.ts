/**
 * @file Which template writes a conversation: the model's own, or one that stands in for it where it has none. And how a
 * system prompt reaches a model whose template takes none.
 */
import { t } from '../../i18n';

/** Where a template comes from: the model, or what stands in for the one that it doesn't have. */
export type TemplateOrigin = 'model' | 'chatml' | 'llama3' | 'deepseek' | 'mistral' | 'plain';

export interface ChosenTemplate {
  origin: TemplateOrigin;
  /** Jinja. */
  source: string;
  /** Of a model's own template that was chosen among several for want of a `default`: its name. */
  name?: string;
}

/** A stand-in is chosen by the tokens that it writes, which a model has if it was trained with them. */
const standIns: { origin: TemplateOrigin; tokens: readonly string[]; source: string }[] = [
  {
    origin: 'chatml',
    tokens: ['<|im_start|>', '<|im_end|>'],
    source:
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  },
  {
    origin: 'llama3',
    tokens: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
    source:
      '{{ bos_token }}{% for m in messages %}' +
      "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content + '<|eot_id|>' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
  },
  {
    origin: 'deepseek',
    tokens: ['<｜User｜>', '<｜Assistant｜>'],
    source:
      '{{ bos_token }}{% for m in messages %}' +
      "{% if m.role == 'system' %}{{ m.content }}" +
      "{% elif m.role == 'user' %}{{ '<｜User｜>' + m.content }}" +
      "{% else %}{{ '<｜Assistant｜>' + m.content }}{{ eos_token }}{% endif %}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}",
  },
  {
    origin: 'mistral',
    tokens: ['[INST]', '[/INST]'],
    source:
      "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}" +
      "{% if m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}" +
      "{% elif m.role == 'user' %}{{ '[INST] ' + ns.system + m.content + '[/INST]' }}{% set ns.system = '' %}" +
      "{% else %}{{ ' ' + m.content }}{{ eos_token }}{% endif %}{% endfor %}",
  },
];

/** For a model that only goes on with a text. It begins with BOS where the model has one. */
const PLAIN =
  '{{ bos_token }}{% for m in messages %}' +
  "{% if m.role == 'system' %}{{ m.content + '\\n\\n' }}" +
  "{% else %}{{ m.role | capitalize + ': ' + m.content + '\\n\\n' }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

/**
 * The template for a model's conversations.
 * @param given one template, or named ones as a list or an object; of those `default`
 * @param has whether the vocabulary has a token
 */
export function chooseTemplate(given: unknown, has: (token: string) => boolean): ChosenTemplate {
  if (typeof given === 'string' && given.trim() !== '') return { origin: 'model', source: given };
  const named = namedTemplates(given);
  const main = named.find(([name]) => name === 'default');
  if (main) return { origin: 'model', source: main[1] };
  // Templates for tools and for documents write little or nothing of a plain conversation.
  const [other] = named.filter(([name]) => !/tool|rag/i.test(name));
  if (other) return { origin: 'model', source: other[1], name: other[0] };
  const standIn = standIns.find(({ tokens }) => tokens.every(has));
  return standIn ? { origin: standIn.origin, source: standIn.source } : { origin: 'plain', source: PLAIN };
}

function namedTemplates(given: unknown): [name: string, template: string][] {
  if (typeof given !== 'object' || given === null) return [];
  const entries: [unknown, unknown][] = Array.isArray(given)
    ? given.map((item: unknown) => {
        const { name, template } = (item ?? {}) as { name?: unknown; template?: unknown };
        return [name, template];
      })
    : Object.entries(given);
  return entries.flatMap(([name, template]) =>
    typeof name === 'string' && typeof template === 'string' && template.trim() !== '' ? [[name, template]] : [],
  );
}

interface Message {
  role: string;
  content: string;
}

/** What turns messages into text: a `TextTokenizer`. */
interface Renderer {
  readonly template: ChosenTemplate;
  applyChatTemplate(messages: readonly Message[], options: { add_generation_prompt: boolean }): string;
}

export interface RenderedChat {
  text: string;
  /** What the user should know, as a sentence; empty where there is nothing. */
  notice: string;
}

/**
 * A conversation up to where the answer begins. A system prompt that the model's template refuses or leaves out is put
 * before the first question.
 * @throws TokenizerError when the template rejects the messages without a system prompt, too
 */
export function renderChat(tokenizer: Renderer, messages: readonly Message[]): RenderedChat {
  const render = (shown: readonly Message[]) => tokenizer.applyChatTemplate(shown, { add_generation_prompt: true });
  const system = systemPrompts(messages);
  const shows = (text: string) => system.every((content) => text.includes(content));
  let text: string | null = null;
  let failure: unknown = null;
  try {
    text = render(messages);
    if (shows(text)) return { text, notice: '' };
  } catch (error) {
    if (!messages.some(({ role }) => role === 'system')) throw error;
    failure = error;
  }
  try {
    const folded = render(withoutSystem(messages));
    // A template that changes what it is given, for example its letters, has to be taken as it is.
    if (text === null || shows(folded)) {
      return { text: folded, notice: system.length > 0 ? t('models:notices.noSystem') : '' };
    }
  } catch {
    // What the template says about the messages as they are is what helps.
    if (text === null) throw failure;
  }
  return { text: text!, notice: '' };
}

const systemPrompts = (messages: readonly Message[]): string[] =>
  messages.filter(({ role }) => role === 'system').flatMap(({ content }) => content.trim() || []);

/** The same conversation with its system prompts at the beginning of the first question. */
function withoutSystem(messages: readonly Message[]): Message[] {
  const prompt = systemPrompts(messages).join('\n\n');
  const rest = messages.filter(({ role }) => role !== 'system');
  if (prompt === '') return rest;
  const first = rest.findIndex(({ role }) => role === 'user');
  if (first < 0) return [{ role: 'user', content: prompt }, ...rest];
  return rest.map((message, at) =>
    at === first ? { ...message, content: `${prompt}\n\n${message.content}` } : message,
  );
}

/** What the user should know about a model's template, as sentences. */
export function templateNotices(tokenizer: Renderer): string[] {
  const { origin, name } = tokenizer.template;
  if (name !== undefined) return [t('models:notices.namedTemplate', { name })];
  if (origin !== 'model') return [t(`models:notices.standIn.${origin}`)];
  try {
    return [renderChat(tokenizer, PROBE).notice].filter((notice) => notice !== '');
  } catch {
    // What is wrong is said when the model is asked something.
    return [];
  }
}

const PROBE: readonly Message[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello' },
];
