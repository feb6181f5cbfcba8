/**
 * @file Everything the page knows about a kind of server. Each kind is one file in this folder, and index.ts lists them;
 * nothing else asks which kind it has.
 */
import type { GenerateRequest } from '../../runs/chat-model';
import type { Frame } from '../chat/frame';
import type { NegotiableKey, RequestBody } from '../chat/request-body';
import type { RemoteModel } from '../models';

/** One way to fix a problem with a server. */
export interface Remedy {
  /** What to do, as a sentence. */
  text: string;
  /** A command, option or address that can be copied, where there is one. */
  command?: string;
}

/** How to start a server of this kind with a certain model. */
export interface StartPreset {
  id: string;
  title: string;
  /** The hardware and software that it needs. */
  needs: string;
  /** One command per line of a terminal. */
  commands: string[];
  /** What the server will call the model; empty for a server that trains the models of a folder. */
  model: string;
}

/** How to recognise a server of this kind. A kind without any of these is only ever chosen by hand. */
export interface Detection {
  /** The host of a hosted API. */
  host?: string;
  /** `owned_by` of the models that it lists under /v1/models. */
  owner?: string;
  /** A path that only this kind answers in this way. Kinds are probed in the order in which index.ts lists them. */
  probe?: { path: string; matches: (answer: unknown) => boolean };
}

export interface Kind {
  /** As its users call it. */
  name: string;
  /** Where such a server listens unless told otherwise. */
  defaultUrl: string;
  detection: Detection;
  /** A path that answers whenever the server runs, for a check with curl. */
  statusPath: string;
  /** How to make the server answer pages of `origin`, the most common way first. @param withKey the page sends a key */
  corsRemedies: (origin: string, withKey: boolean) => Remedy[];
  /** Where the user finds the key. */
  keyRemedy: Remedy;
  /** The option that makes the server listen to other machines. */
  listenOption: string;
  startPresets: (origin: string) => StartPreset[];
}

/** A kind that answers prompts. */
export interface ModelServerKind extends Kind {
  /** Paths after the server's address. @param prefix where its OpenAI paths begin: `/v1`, or empty */
  chatPath: (prefix: string) => string;
  modelsPath: (prefix: string) => string;
  /** Ends of addresses that people copy from a manual and that are not part of the server's address. */
  copiedPaths: readonly string[];
  /** Reads the answer to `modelsPath`; null when this kind of server doesn't send such an answer. */
  readModels: (answer: unknown) => RemoteModel[] | null;
  /**
   * The body of a request: only keys that the server accepts, since some refuse what they don't know.
   * @param refused keys that this server has already refused
   * @throws RemoteError when this kind of server can't do what is asked
   */
  requestBody: (model: string, request: GenerateRequest, refused: ReadonlySet<NegotiableKey>) => RequestBody;
  /** Reads one event (or line) of a stream; null when this kind of server doesn't send such an event. */
  readFrame: (data: string) => Frame | null;
  /** Reasoning stays in the answer's text, between `<think>` and `</think>`, instead of in a field of its own. */
  reasoningInText: boolean;
}
