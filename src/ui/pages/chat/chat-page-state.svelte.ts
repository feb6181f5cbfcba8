/** @file The state of the Chat page: the conversation, the chosen models, the prompt, and what can be done with them. */
import type { AnswerTurn, Conversation, UserTurn } from '../../../storage/conversation';
import { tick } from 'svelte';
import { messageOf } from '../../../base/errors';
import { nextTurn } from '../../../base/turns';
import { t } from '../../../i18n';
import { allowedStorage } from '../../parts/stored/allowed-storage';
import type { RecognisedFiles } from '../../shell/drop/recognise';
import { router } from '../../shell/router.svelte';
import { withParams } from './address';
import { AutoScroll } from './conversation/auto-scroll';
import { ChatSession, type ModelRequest } from './conversation/chat-session.svelte';
import { examples, type Example } from './examples';
import { rounds } from './history/conversation';
import { ConversationList } from './history/conversation-list.svelte';
import { ConversationStorage } from '../../../storage/conversation-storage';
import { adapterBase, adapterIn } from './models/load-options';
import { availableModels, openChatModel } from './models/model-access';
import { ModelSelection } from './models/model-selection.svelte';
import { DEFAULT_MODEL, nameOfCharacter, symbolsOf, unknownCharacters, type ModelChoice } from './models/models';
import { OpenModels } from './models/open-models.svelte';

/** A prompt in a link is cut to this many characters. */
const MAX_LINK_PROMPT = 4000;

export class ChatPageState {
  readonly openModels = new OpenModels(openChatModel);
  readonly selection: ModelSelection;
  readonly session: ChatSession;
  readonly list: ConversationList;
  readonly scroll = new AutoScroll();

  prompt = $state('');
  promptField = $state<HTMLTextAreaElement>();
  gpu = $state<'unknown' | 'usable' | 'missing'>('unknown');
  showTokens = $state(false);
  /** Id of the question that is being edited. */
  editing = $state<string | null>(null);
  /** What became of dropped files; may contain a link tagged `models`. */
  news = $state.raw<{ text: string; isProblem: boolean } | null>(null);

  readonly path = $derived.by(() => rounds(this.session.conversation));
  readonly examples = $derived.by(() => examples(this.#draw));
  readonly #storage = new ConversationStorage();
  readonly #ready: Promise<void>;
  /** Determines the example problems. */
  #draw = $state(Math.floor(Math.random() * 1e6));

  constructor() {
    const { params } = router.route;
    this.prompt = params.get('prompt')?.slice(0, MAX_LINK_PROMPT) ?? '';
    this.selection = new ModelSelection(params.get('model') ?? DEFAULT_MODEL, allowedStorage());
    this.list = new ConversationList(this.#storage);
    this.session = new ChatSession({ models: this.openModels, save: (conversation) => this.#save(conversation) });
    void this.list.load();
    this.#ready = this.#start(params.get('c'));
  }

  /** Why nothing can be sent now, whatever it is; empty if it can. */
  get obstacle(): string {
    if (this.isGpuMissing) return t('chat:page.noGpu');
    return this.selection.problem;
  }

  get isGpuMissing(): boolean {
    return this.gpu === 'missing' && !this.selection.allRemote;
  }

  /** Why a text can't be sent now; empty if it can. */
  obstacleTo(text: string): string {
    if (this.obstacle) return this.obstacle;
    for (const model of this.selection.picked) {
      const unknown = unknownCharacters(model, text);
      if (unknown.length === 0) continue;
      return t('chat:page.unknownCharacters', {
        model: model.label,
        symbols: symbolsOf(model.characters ?? ''),
        characters: unknown.map(nameOfCharacter).join(' '),
      });
    }
    return '';
  }

  /** A warning that the toy models won't understand a text; empty if there is no reason for one. */
  hintAbout(text: string): string {
    // The problems of all toy tasks end like that.
    if (text === '' || text.endsWith('=') || !this.selection.picked.some(({ characters }) => characters)) return '';
    const model = this.selection.picked.find(({ characters }) => characters)!.label;
    return t('chat:page.unknownTask', { model, example: this.examples[0]!.problem.prompt });
  }

  send(): void {
    const text = this.prompt.trim();
    if (text === '' || this.session.busy || this.obstacleTo(text)) return;
    this.prompt = '';
    this.sendText(text);
  }

  /** @param replaces the question that the text is another version of */
  sendText(text: string, replaces?: UserTurn): void {
    this.openModels.closeAllBut(this.selection.picked);
    const requests = this.selection.picked.map((model) => this.#requestFor(model));
    const example = this.examples.find(({ problem }) => problem.prompt === text) ?? null;
    void this.session.send(text, requests, { example, ...(replaces && { replaces }) });
    this.scroll.toEnd();
  }

  sendExample(example: Example): void {
    this.sendText(example.problem.prompt);
  }

  otherExamples(): void {
    this.#draw += 1;
  }

  /** @param versions how many answers there are; each gets another seed */
  regenerate(turn: AnswerTurn, versions: number): void {
    void this.session.regenerate(turn, this.#requestFor(this.selection.forColumn(turn.column), versions));
  }

  continueAnswer(turn: AnswerTurn): void {
    void this.session.continueAnswer(turn, this.#requestFor(this.selection.forColumn(turn.column)));
  }

  editLast(): void {
    this.editing = this.path.at(-1)?.user.id ?? null;
  }

  pick(column: number, id: string): void {
    this.selection.pick(column, id);
    this.openModels.closeAllBut(this.selection.picked);
    // The user's own files have no address.
    const model = this.selection.named(id).files ? null : id;
    if (column === 0) router.replaceParams(withParams(router.route.params, { model }));
  }

  toggleCompare(): void {
    this.selection.toggleCompare();
    this.openModels.closeAllBut(this.selection.picked);
  }

  /** Starts a new conversation. */
  startNew(): void {
    this.session.reset();
    this.#setAddress(null);
    this.editing = null;
    void tick().then(() => this.promptField?.focus());
  }

  async open(id: string): Promise<void> {
    const { session, selection } = this;
    const found = id === session.conversation.id ? session.conversation : await this.list.open(id);
    if (!found) return;
    if (found !== session.conversation) {
      // Reading and showing a long conversation are two tasks, between which the page can react.
      await nextTurn();
      session.reset(found);
      this.editing = null;
      const last = rounds(found).at(-1)?.answers ?? [];
      const models = last.flatMap((view) => (view && selection.has(view.turn.model.id) ? [view.turn.model.id] : []));
      if (models.length > 0) selection.chosen = models;
    }
    this.#setAddress(id);
    await tick();
    this.scroll.arrive();
  }

  /** Takes files that were dropped, or that another page sent here. */
  async takeFiles({ kind, files }: Pick<RecognisedFiles, 'kind' | 'files'>): Promise<void> {
    this.news = null;
    try {
      if (kind === 'conversations') await this.#importConversations(files[0]!);
      else if (kind === 'adapter') await this.#addAdapter(files);
      else this.addModelFiles(files);
    } catch (error) {
      this.news = { text: messageOf(error), isProblem: true };
    }
  }

  /** @throws Error saying what is missing in the files */
  addModelFiles(files: File[]): void {
    this.pick(0, this.selection.addFiles(files).id);
    this.promptField?.focus();
  }

  /** Call this when the page is left. An answer that is being written is stopped and saved. */
  leave(): void {
    this.session.stop();
    this.openModels.closeAllBut([]);
    void this.list.removal.flush();
  }

  async #start(conversation: string | null): Promise<void> {
    const saved = conversation ? await this.list.open(conversation) : null;
    if (saved) this.session.reset(saved);
    this.selection.setAvailable(await availableModels());
  }

  async #save(conversation: Conversation): Promise<void> {
    await this.#storage.save(conversation);
    if (conversation.id === this.session.conversation.id) this.#setAddress(conversation.id);
    await this.list.load();
  }

  /** Puts the conversation into the address, so that a reload shows it again. */
  #setAddress(conversation: string | null): void {
    if (router.route.page !== 'chat') return;
    const params = withParams(router.route.params, { c: conversation });
    if (params.toString() !== router.route.params.toString()) router.replaceParams(params);
  }

  #requestFor(model: ModelChoice, seedOffset = 0): ModelRequest {
    return {
      model,
      settings: (sampling) => {
        this.selection.setRecommended(model, sampling);
        const settings = this.selection.settingsOf(model);
        return { ...settings, seed: (settings.seed + seedOffset) % 2 ** 31 };
      },
      alternatives: this.showTokens,
    };
  }

  async #importConversations(file: File): Promise<void> {
    const count = await this.list.importFile(file);
    if (count > 0) this.news = { text: t('chat:page.conversationsImported', { count }), isProblem: false };
    else if (this.list.problem) throw new Error(this.list.problem);
  }

  async #addAdapter(files: File[]): Promise<void> {
    const adapter = adapterIn(files);
    if (!adapter) throw new Error(t('chat:loadingForm.adapterMissing'));
    const base = await adapterBase(adapter);
    await this.#ready;
    const model = this.selection.addAdapter(adapter, base);
    const values = { adapter: adapter.name };
    if (model) {
      this.pick(0, model.id);
      this.news = { text: t('chat:page.adapterAdded', { ...values, model: model.label }), isProblem: false };
    } else if (base === null) throw new Error(t('chat:page.adapterNeedsModel', values));
    else throw new Error(t('chat:page.adapterNeedsBase', { ...values, base }));
  }
}
