/** @file English: the Models page, and the errors of finding, downloading, storing and reading models. */
export const models = {
  // The page.
  page: {
    title: 'Models',
    activity: 'a download, which can be resumed',
    add: 'Add a model',
    empty:
      'No models are stored yet. The models that you add here stay on this device and work offline. The tiny model of this app is built in and needs no download.',
    stored: 'On this device',
    storedNow: '{{name}} is stored.',
  },
  add: {
    address: 'Model name on the Hugging Face Hub, or a web address',
    badMirror: 'The address of a mirror begins with https:// or http://.',
    check: 'Check',
    chooseFile: 'Choose a .gguf file',
    chooseFolder: 'Choose a folder',
    drop: 'Or use a model from this computer: drop a .gguf file or a model folder here.',
    mirror: 'Address of the mirror',
    placeholder: 'owner/name or https://…/model.gguf',
    useMirror: 'Use a mirror of the Hub',
  },
  // A model that was checked and can now be downloaded.
  preview: {
    alreadyStored: 'This model is already stored on this device.',
    architecture: 'Architecture',
    cantStore: 'This browser doesn’t let the page store models.',
    card: 'Model card',
    checking: 'Checking {{name}} …',
    context: 'Context length',
    copySize: 'A copy takes {{size}}.',
    download: 'Download {{size}}',
    downloadSize: 'The download is {{size}}.',
    file: 'File',
    fileOption: '{{path}} ({{size}})',
    free: 'The browser has {{size}} left for this site.',
    licence: 'Licence',
    memory: 'GPU memory',
    memoryHint:
      'Estimates for the default context length. Browsers don’t say how much memory the GPU has. If it is too little, you are told when the model is loaded.',
    needs: 'Memory',
    noLicence: 'not stated',
    noMemory: 'This device has only {{size}} of memory, so the model can’t be loaded here. Choose a smaller one.',
    parameters: 'Parameters',
    precision: 'Precision',
    precisions: { stored: 'As stored ({{type}})', q8_0: '8 bits per weight (q8_0)', q4_0: '4 bits per weight (q4_0)' },
    readingHeader: 'Reading the header of {{name}} …',
    restSize: '{{size}} of {{total}} are still to be downloaded.',
    resume: 'Resume the download',
    source: 'Source',
    storage: 'Storage',
    store: 'Store a copy',
    tokens_one: '{{count, number}} token',
    tokens_other: '{{count, number}} tokens',
    tooLarge:
      'This needs {{size}} more space than there is. Delete other models, free some disk space, or choose a smaller model.',
    tooLargeFile:
      'This needs {{size}} more space than there is. Delete other models, free some disk space, or choose a smaller file.',
    tooMuch: '{{size}}, too much',
    useOnce: 'Use without storing',
    weights: 'Weights',
  },
  suggested: {
    title: 'Suggested models',
    add: 'Add',
    addNamed: 'Add {{name}}',
    added: 'Added',
    addedNamed: 'Added {{name}}',
    download: '{{size}} download',
    llamaNote: 'Meta’s own repository needs an account. This is a copy that doesn’t, under the same licence.',
    // Estimated GPU memory with weights of 4 bits.
    memory: '{{size}} of GPU memory in 4 bits',
    purposes: {
      deepseekR1: 'Thinks at length before it answers. For mathematics and puzzles.',
      llama: 'Chats well for its size.',
      qwen3: 'Small, multilingual, and thinks before it answers.',
      qwenMath: 'Solves mathematics step by step.',
      qwenSmall: 'Gives short answers in many languages. Small enough for a phone.',
      smolLarge: 'Answers questions, summarises and rewrites in English.',
      smolSmall: 'Writes and rewrites short texts in English.',
      smolTiny: 'The smallest model that writes proper sentences. Good for trying things out.',
    },
  },
  // One model of the list. The `…Named` texts are read out in place of the short ones.
  row: {
    added: 'added {{when}}',
    cancelNamed: 'Cancel {{name}}',
    chat: 'Chat',
    chatWith: 'Chat with {{name}}',
    deleteNamed: 'Delete {{name}}',
    licence: 'licence {{licence}}',
    noLicence: 'no licence stated',
    parameters_one: '{{number}} parameter',
    parameters_other: '{{number}} parameters',
    pause: 'Pause',
    pauseNamed: 'Pause {{name}}',
    progress: 'Stored part of {{name}}',
    resume: 'Resume',
    resumeNamed: 'Resume {{name}}',
    retry: 'Try again',
    retryNamed: 'Try {{name}} again',
  },
  // Where a model comes from.
  origin: {
    commit: 'from {{server}}, commit {{commit}}',
    file: 'from your files',
    hub: 'the Hugging Face Hub',
    repoCommit: '{{repo}} from {{server}}, commit {{commit}}',
    url: 'from {{host}}',
  },
  // How far a download is.
  progress: {
    checking: 'Checking what is stored: {{done}} of {{total}}',
    failed: '{{stored}} of {{total}}, failed',
    left: '{{stored}} of {{total}} · {{speed}} · {{left}} left',
    paused: '{{stored}} of {{total}}, paused',
    speed: '{{stored}} of {{total}} · {{speed}}',
    starting: '{{stored}} of {{total}}, starting …',
    stopped: '{{stored}} of {{total}}, interrupted',
    stored: '{{stored}} of {{total}}',
    waiting: '{{stored}} of {{total}}, waiting',
  },
  storage: {
    unknown: 'Models take {{models}}. The browser doesn’t say how much space there is.',
    use: 'Models take {{models}}. This site uses {{used}} in total, of {{quota}} that the browser allows.',
  },
  time: {
    hours: '{{hours}} h {{minutes}} min',
    minutes: '{{count}} min',
    seconds: '{{count}} s',
    speed: '{{size}}/s',
  },
  files: { unnamed: 'chosen files' },

  // What people type to add a model.
  address: {
    notAModel: '“{{text}}” is neither a model name, such as Qwen/Qwen2.5-0.5B-Instruct, nor a web address.',
    notAModelPage: '“{{text}}” is not the page of a model.',
    notARepo: '“{{repo}}” is not a model name on the Hub. One looks like Qwen/Qwen2.5-0.5B-Instruct.',
    notAServer: '“{{text}}” is not the address of a server.',
    notAUrl: '“{{text}}” is not a web address.',
    notTheWeb: '“{{text}}” is not a web address: it must begin with https:// or http://.',
  },
  // Files that the user chose or dropped.
  chosen: {
    adapter:
      'This is a LoRA adapter, not a whole model. Choose its base model in Chat, open the settings there, and load the adapter.',
    noModel:
      'There is no model in these files. Choose a .gguf file, or a folder with config.json, tokenizer.json and .safetensors files.',
    severalGgufs: 'There are several .gguf files. Choose one of them.',
    unnamed: 'chosen files',
  },
  // What is unusual about a model that opens all the same.
  notices: {
    endsLeftOut: 'Its files name tokens that end an answer but that it doesn’t have ({{ids}}). They are left out.',
    namedTemplate: 'It has several chat templates, and none is the default one. “{{name}}” is used.',
    noEnds: 'Its files name no token that ends an answer, so answers go on up to the most tokens that you allow.',
    noSystem:
      'Its chat template takes no system prompt, so a system prompt is put at the beginning of the first message.',
    standIn: {
      chatml:
        'It has no chat template. Its vocabulary has the tokens of ChatML (<|im_start|>), so conversations are written in that form.',
      deepseek:
        'It has no chat template. Its vocabulary has DeepSeek’s tokens (<｜User｜>), so conversations are written in DeepSeek’s form.',
      llama3:
        'It has no chat template. Its vocabulary has Llama 3’s tokens (<|start_header_id|>), so conversations are written in Llama 3’s form.',
      mistral:
        'It has no chat template. Its vocabulary has Mistral’s tokens ([INST]), so conversations are written in Mistral’s form.',
      plain:
        'It has no chat template, as a base model that only continues texts. Conversations are written as plain text, “User: …” and “Assistant: …”, and answers may not end by themselves.',
    },
    tokensLeftOut_one:
      'Its tokenizer has a token that the model itself doesn’t know ({{tokens}}). It is read as ordinary text.',
    tokensLeftOut_other:
      'Its tokenizer has {{count, number}} tokens that the model itself doesn’t know ({{tokens}}). They are read as ordinary text.',
    unknownPreTokenizer:
      'The file doesn’t say how text is split before it is made into tokens, and its tokens don’t show it. It is split as for GPT-2, so numbers and words may be read differently from training. A newer conversion of this model would say it.',
    recognisedPreTokenizer:
      'The file doesn’t say how text is split before it is made into tokens. Going by its tokens, it is split as for {{family}}.',
    untiedHead:
      'config.json says that the output layer is the embedding (tie_word_embeddings), but the weights have another output layer. The one in the weights is used, as Transformers does.',
  },
  // Requests to a server. `reason` in `gaveUp` and `retrying` is one of the sentences here.
  http: {
    broken: 'The connection for {{path}} broke: {{reason}}.',
    busy: '{{host}} answered {{status}} for {{path}}.',
    changed: '{{path}} has changed on the server since the download began. Start again.',
    endedEarly_one: '{{path}} ended {{count, number}} byte too early.',
    endedEarly_other: '{{path}} ended {{count, number}} bytes too early.',
    gaveUp: '{{reason}} Gave up after {{count}} attempts. Try again later.',
    loginNeeded:
      '{{host}} asks for a login before it gives out {{path}} ({{status}}). Download the files there yourself, then drop them here.',
    longer: '{{path}} is longer on the server than the {{count, number}} bytes it announced.',
    noLength:
      '{{url}} doesn’t say how long the file is. The server must send Content-Length, and allow other sites to read Content-Range and ETag (Access-Control-Expose-Headers).',
    notThere: '{{url}} doesn’t exist ({{status}}).',
    offline: 'You are offline. Connect to the internet and try again.',
    retrying: '{{reason}} Trying again in {{count}} s.',
    shorter: '{{path}} is shorter on the server than the {{count, number}} bytes it announced.',
    silent: 'The connection for {{path}} broke: nothing came for {{count}} s.',
    startsOver: 'The server doesn’t support resuming, so {{path}} is being downloaded from the beginning again.',
    status: '{{url}} answered {{status}}.',
    unreachable: '{{host}} can’t be reached for {{path}}: {{reason}}.',
    webPage: '{{url}} answers with a web page instead of the file.',
    wrongLength:
      '{{path}} has {{found, number}} bytes on the server instead of the {{announced, number}} it announced.',
    wrongRange: 'The server of {{path}} sent the file from byte {{found, number}} instead of {{asked, number}}.',
  },
  // Finding a model on the Hub or on a server.
  source: {
    badIndex: '{{index}} doesn’t name any weight files.',
    badListing: 'The answer about {{repo}} can’t be read. Does this server have the Hub’s API?',
    gated:
      '{{repo}} asks you to accept its terms. Log in at {{url}} and accept them. Then download config.json, tokenizer.json, tokenizer_config.json and the .safetensors files into a folder and drop that here.',
    missingShard: '{{shard}} is missing, although the index names it.',
    noCommit: '{{endpoint}} doesn’t say which commit {{repo}} is at.',
    noConfig: 'There is no config.json at this address, and it doesn’t end in .gguf.',
    noFiles: '{{repo}} has no file {{file}}.',
    noHashes: '{{endpoint}} has no checksums for some files, so they can’t be verified.',
    noModel: '{{repo}} has neither a config.json with .safetensors files nor a .gguf file. Is it a model?',
    noRanges: '{{host}} doesn’t support resuming: a download that is interrupted starts over.',
    noSuchFile: '{{repo}} has no file {{file}}. It has {{known}}.',
    notFound:
      'There is no public model {{repo}} at {{endpoint}}. Check the spelling. If the model is private, download its files and drop their folder here.',
    notWhole: '{{file}} is not a .gguf file that is complete by itself.',
    noWeights: 'There is neither {{weights}} nor {{index}} at this address.',
    onlyPickle:
      '{{repo}} has its weights only as pytorch_model.bin, which can run code when it is opened. Look for a copy with .safetensors or .gguf files.',
    revisionNotFound:
      'There is no public model {{repo}} with a revision {{revision}} at {{endpoint}}. Check the spelling. If the model is private, download its files and drop their folder here.',
  },
  // Keeping models on this device.
  /** A model or a zip from outside is read in a worker of its own. */
  check: {
    hangs:
      'Reading these files takes far longer than it should, so it was stopped. Something in them, such as a pattern of the tokenizer, may never end. Nothing was stored.',
    broke: 'Reading these files broke down: they may need more memory than there is. Nothing was stored.',
  },

  /** A model's answer is no number. */
  notFinite: {
    weight:
      '{{name}} has no answer: its weight {{weight}} holds values that are not finite numbers (NaN or infinity). The file is damaged, or its training diverged. Download or export the model again, or choose an earlier checkpoint.',
    overflow:
      '{{name}} has no answer: all its weights are finite numbers, but its output is not (NaN). Its numbers overflow on this GPU. Choose another quantisation.',
  },

  store: {
    busy: '{{model}} is already being downloaded, perhaps in another tab. Wait for it, or cancel it there.',
    damagedManifest: 'The list of its files is damaged.',
    noManifest: 'The list of its files is missing.',
    diskFull:
      'The disk or the browser’s quota is full: {{stored}} of the {{total}} of {{model}} fitted. They were deleted again. Free at least {{missing}} and download it again.',
    incomplete: 'The download of {{model}} isn’t complete. Resume it on the Models page.',
    noSpace:
      '{{model}} needs {{needed}} more, but the browser has only {{free}} left for this site. Delete stored models, or free some disk space.',
    notStored: 'This model is no longer stored. Download it again on the Models page.',
    sourceIncomplete: '{{model}} was only partly copied from your files. Choose the files again to resume.',
    unavailable:
      "This browser doesn't let the site store anything, as in some private windows. Models are not saved. You can still drop a model file and use it without a copy.",
    unsupported:
      'Models can’t be stored here: the browser allows it only on pages with https. You can still drop a model file and use it without a copy.',
    wrongHash:
      '{{file}} of {{model}} isn’t the file that its source announced: its {{kind}} should be {{expected}}. It was deleted. Download it again, and if that fails too, don’t trust the source.',
    wrongLength: '{{file}} has {{found, number}} bytes instead of {{expected, number}}.',
  },
} as const;
