/** @file English: servers, both those that answer prompts and those that train. */
export const servers = {
  address: {
    invalid: "That isn't an address. An address looks like http://localhost:8000.",
    password: 'The address contains a user name or a password. Enter the key in its own field instead.',
    query: 'The address must not contain a question mark. If it has a key after it, enter the key in its own field.',
    scheme: 'The address of a server begins with http:// or https://.',
    spaces: "An address can't contain spaces. An address looks like http://localhost:8000.",
  },
  chat: {
    aborted: '{{server}} aborted this answer.',
    cannotContinue: "{{kind}} can't continue an answer. Send the question again instead.",
    cutOff: 'The answer from {{server}} was cut off: the server stopped sending without saying that it was done.',
    failed: '{{server}} failed while it was answering.',
    failedSaying: '{{server}} failed while it was answering. It says: {{detail}}',
    filtered: 'A content filter of {{server}} ended the answer.',
    /** `settings` is a list such as "top-k, min-p". */
    ignored: '{{kind}} does not support these settings, so they were left out: {{settings}}.',
    minP: 'min-p',
    noRoom: '{{server}} ran out of resources for this answer.',
    notShown: "{{server}} sent content that can't be shown as text: {{types}}.",
    notThisKind: "{{server}} sent something that {{kind}} doesn't send. Is it another kind of server?",
    onlyAlive: '{{server}} is still connected but has written nothing for too long.',
    repetitionPenalty: 'repetition penalty',
    tooMuch: '{{server}} sent far more than was asked for, so the rest was not read.',
    topK: 'top-k',
    unknownEnding: '{{server}} ended the answer for a reason that is not known here: {{reason}}.',
  },
  deepseek: {
    key: 'Create a key at platform.deepseek.com and enter it here.',
  },
  detect: {
    unknown: 'Something answers at {{url}}, but it is not a server that this page knows. Check the port and the path.',
  },
  diagnosis: {
    allowInSettings:
      'To allow it, click the icon to the left of the address, then Site settings, then Local network access (or Apps on device).',
    allowWhenAsked: 'Try again and allow it when the browser asks. The browser asks even if nothing runs there.',
    anyAddress: '0.0.0.0 only tells a server where to listen. On the same machine, the server is at localhost.',
    certificate: 'If it has a self-signed certificate, open the address in a tab to see what the browser says.',
    cors: 'A server runs at {{host}}, but it does not let pages of {{origin}} read its answers (CORS).',
    dead: "Nothing answers at {{host}}. The server isn't running, or it has another address.",
    hasModel: '{{kind}} answers and has the model {{model}}.',
    hasModels_one: '{{kind}} answers and has {{count, number}} model.',
    hasModels_other: '{{kind}} answers and has {{count, number}} models.',
    httpsOnly: {
      device: 'The browser lets only pages over https reach apps on this device, and this page was loaded over http.',
      network:
        'The browser lets only pages over https reach devices on your network, and this page was loaded over http.',
    },
    keyMissing: 'The server allows this page but does not list its models. It probably needs a key.',
    keyWrong:
      'The server allows this page, but not with this key. The key is wrong, or the server does not accept keys from web pages.',
    listen: 'If it runs on another machine, it must listen on all interfaces. Start it with this option.',
    mixed:
      'This page was loaded over https, so the browser lets it reach servers over plain http only on this device (mixed content).',
    noModels: '{{kind}} answers but lists no models.',
    offline: 'This device is offline.',
    openLocally: 'Or open this page from your own machine, over http.',
    openOverHttps: 'Open this page over https, or from this device.',
    permissionDenied: {
      device: 'The browser does not let this page reach apps on this device, because permission was denied.',
      network: 'The browser does not let this page reach devices on your network, because permission was denied.',
    },
    permissionNeeded: {
      device: 'The browser needs your permission before this page can reach apps on this device.',
      network: 'The browser needs your permission before this page can reach devices on your network.',
    },
    readyToTrain: '{{kind}} answers and is ready to train.',
    safari:
      'Safari lets no page over https reach apps on this device. Use another browser, or open this page from your own machine.',
    tryCurl: 'Check whether it answers outside the browser.',
    useHttps: 'Or put https in front of it, under a domain name that points to it.',
    useLocalhost: 'Use this address instead.',
    useTunnel: 'Bring the server to this device through a tunnel, and use http://localhost instead.',
  },
  /** Why settings can't be sent to a training server. */
  fieldProblems: {
    aboveAndAtMost: '{{label}} must be above {{min, number}} and at most {{max, number}}.',
    batches_one:
      '{{count, number}} completion can’t be divided into batches of {{batch, number}}. Choose a divisor of it.',
    batches_other:
      '{{count, number}} completions can’t be divided into batches of {{batch, number}}. Choose a divisor of that number.',
    fromTo: '{{label}} must be from {{min, number}} to {{max, number}}.',
    processes_one: '{{count, number}} completion per step can’t be divided among {{processes, number}} GPUs.',
    processes_other:
      '{{count, number}} completions per step can’t be divided among {{processes, number}} GPUs. Choose a divisor of that number.',
  },
  /** Options of a training server, as fields of a form. `all` is shown in an empty field. */
  fields: {
    all: 'all',
    batchSize: {
      help: 'Completions in one forward and backward pass of a process. Fewer take less memory. Leave blank for all.',
      label: 'Completions at a time',
    },
    gradientCheckpointing: {
      help: 'Computes activations twice instead of storing them, which is slower and takes less memory.',
      label: 'Gradient checkpointing',
    },
    lora: { help: 'Trains a small adapter on all linear layers instead of all weights.', label: 'LoRA adapter' },
    loraAlpha: { help: 'The adapter’s output is multiplied by alpha / r.', label: 'Alpha' },
    loraDropout: { help: 'Fraction of the adapter’s inputs that is dropped during training.', label: 'Dropout' },
    loraRank: { help: 'A higher rank can learn more and takes more memory.', label: 'Rank, r' },
    precision: {
      bf16: 'bfloat16 over f32 weights',
      help: 'The weights are f32 either way. bfloat16 halves the memory of a forward pass.',
      label: 'Precision',
    },
    processes: {
      help: 'The number of processes that accelerate starts, one per GPU. Together they do each step.',
      label: 'GPUs',
    },
    savedCheckpoints: {
      help: 'Older ones are deleted on the server. Leave blank to keep all, which can fill its disk.',
      label: 'Checkpoints kept',
    },
    sharding: {
      help: 'Whether each GPU holds a part of the weights and the optimizer, or all of them.',
      label: 'Sharding',
      none: 'None: everything on each GPU',
      zero3: 'DeepSpeed ZeRO-3: a part on each GPU',
    },
    title: 'On the server',
    vllm: {
      help: 'vLLM generates the completions on the same GPUs, which is faster when they are long.',
      label: 'Sample with vLLM',
    },
    vllmMemory: {
      help: 'vLLM’s fraction of each GPU’s memory. Training uses the rest.',
      label: 'vLLM’s memory',
    },
  },
  http: {
    askedToWait: 'It asks to wait {{seconds, number}} s.',
    badGateway: "Something answers at {{url}}, but it can't reach the model server behind it (HTTP {{status}}).",
    busy: '{{server}} is busy and asked to wait {{seconds, number}} s.',
    cancelled: 'The request was cancelled.',
    connectionLost: 'The answer from {{server}} was cut off: the connection was lost.',
    conversationTooLong: 'The conversation is too long for {{server}}.',
    failed: '{{server}} failed (HTTP {{status}}).',
    loading: '{{server}} is still loading its model. Try again in a while.',
    needsKey: '{{server}} needs a key (HTTP {{status}}).',
    noBalance: 'The account at {{server}} has no credit left.',
    noModel: '{{server}} does not have this model.',
    noPath: '{{server}} has nothing at this path (HTTP {{status}}). Check the address and the kind of server.',
    notJson: '{{server}} answered with something that no model server sends.',
    overloaded: '{{server}} is overloaded or starting (HTTP {{status}}).',
    rateLimited: '{{server}} accepts no more requests for now (HTTP 429).',
    redirect: '{{server}} redirects to another address. Nothing was sent there. Enter the address that it leads to.',
    refused: '{{server}} does not accept this request (HTTP {{status}}).',
    says: 'It says: {{detail}}',
    silent: '{{server}} has been silent for too long, so the request was given up.',
    tooLong: '{{server}} sent an answer that is too long.',
    tryLater: 'Try again in a while.',
    unreachable: "{{server}} can't be reached at {{origin}}.",
    webPage: '{{server}} answered with a web page. {{url}} is the address of a page or a login, not of a model server.',
    wrongKey: '{{server}} does not accept the key (HTTP {{status}}).',
  },
  key: {
    invalid: "The key contains characters that can't be sent. Copy it again, without line breaks.",
  },
  /** Names of kinds of servers that are more than a product's name. */
  kinds: {
    deepseek: 'DeepSeek API',
    ollamaV1: 'Ollama (OpenAI-compatible API)',
    openai: 'OpenAI-compatible',
    training: 'tinythink-remote (training)',
  },
  llamacpp: {
    cors: 'Start llama-server with these options. The second lets pages send a key. A build that knows neither option allows every page.',
    needs: '6 GB of memory, with or without a GPU.',
    title: 'R1 distillation, 7B, 4-bit',
  },
  /** What a training server can't do, and why. */
  missing: {
    coldStart: 'No cold start on a server: start from a checkpoint of a model that had one.',
    deepspeed: 'No ZeRO-3: DeepSpeed is not installed there.',
    gpu: 'No GPU there: no bfloat16, no vLLM, a single process.',
    lora: 'No LoRA: PEFT is not installed there.',
    vllm: 'No vLLM: it is not installed there, so Transformers generates the completions.',
  },
  models: {
    noList: '{{server}} did not send a list of models. Is it another kind of server?',
  },
  ollama: {
    corsMac: 'For the macOS app, run this and then restart the app.',
    corsService:
      'For a Linux service, add this line under [Service] with `systemctl edit ollama`, then run `systemctl restart ollama`.',
    corsTerminal: 'In a terminal on Linux or macOS, stop Ollama and start it with this page allowed.',
    corsWindows: 'On Windows, run this and then restart Ollama.',
    needs: {
      '14b': '9.0 GB to download; 16 GB of memory.',
      '1_5b': '1.1 GB to download; any machine.',
      '32b': '20 GB to download; a GPU with 24 GB.',
      '671b': '404 GB to download; a server with eight GPUs of 80 GB each.',
      '70b': '43 GB to download; two GPUs with 24 GB each, or 64 GB of unified memory.',
      '7b': '4.7 GB to download; 8 GB of memory.',
      '8b': '5.2 GB to download; 8 GB of memory.',
    },
  },
  openai: {
    cors: 'The server must send these headers, also in answer to OPTIONS requests. See its manual, or let a proxy in front of it add them.',
    key: 'Enter the key of your account at this server.',
  },
  /** How to start a server with DeepSeek R1 or one of its distillations. */
  presets: {
    /** `size` is a number of parameters, such as 7B. */
    distillation: 'R1 distillation, {{size}}',
    gpus_one: 'One GPU with {{memory}} GB.',
    gpus_other: '{{count, number}} GPUs with {{memory}} GB each.',
    whole: 'R1 itself, 671B',
  },
  remedies: {
    proxyKey: 'This kind of server has no keys of its own. The key is that of the proxy in front of it.',
    startKey: 'Enter the key that the server was started with.',
    startWith: 'Start {{server}} with this option.',
  },
  /** The panel of a run on a training server. `step` is the step of a checkpoint. */
  run: {
    adapterHint: 'An adapter is opened on its base model, which must be on this device too.',
    adapterSize: '{{size}}, a LoRA adapter (PEFT)',
    chat: 'Chat',
    chatWith: 'Chat with step {{step, number}}',
    download: 'Download',
    downloadStep: 'Download step {{step, number}}',
    downloading: 'Downloading step {{step, number}} …',
    hasEnded: 'The run has ended. Its checkpoints stay on the server.',
    keepsRunning:
      'The run continues there when this page is closed, and you can watch it again from <run>this link</run>. It is also saved in the <runs>runs</runs> of this device.',
    log: 'Log of the process',
    logEmpty: 'The process has printed nothing.',
    noCheckpoint: 'No checkpoint yet.',
    open: 'Open',
    openStep: 'Open step {{step, number}}',
    opening: 'Opening step {{step, number}} …',
    otherVersion: "The run {{id}} on {{server}} was made by another version and can't be shown.",
    readingLog: 'Reading the log …',
    reloadLog: 'Reload',
    saveCheckpoint: 'Save a checkpoint',
    savingCheckpoint: 'Asking for a checkpoint …',
    showAll_one: 'Show all {{count, number}} checkpoint',
    showAll_other: 'Show all {{count, number}} checkpoints',
    showFewer: 'Show fewer',
    step: 'Step {{step, number}}',
    title: 'On {{server}}',
    tooLarge: 'This checkpoint is too large for this page. Download it, or copy it from the server.',
    trainFurther: 'Train further',
    trainFurtherFrom: 'Train further from step {{step, number}}',
    trainHere: 'Train in this browser',
    trainHereFrom: 'Train in this browser from step {{step, number}}',
  },
  /** The client of tinythink-remote. */
  sidecar: {
    eventsCutOff: 'The events from {{server}} were cut off.',
    fileCutOff: '{{name}} was cut off after {{at, number}} of {{size, number}} bytes.',
    fileTooLarge: '{{name}} has {{gib, number}} GiB, more than a page can hold. Copy it from the server.',
    noCheckpoint: 'The run has no checkpoint to export.',
    noModelYet: 'There is no model to export yet.',
    noRunToChange: 'There is no run to change.',
    notADataset: "That isn't the name of a data set on a server.",
    notARunId: "That isn't the id of a run on a server.",
    /** `problem` is a whole sentence. */
    reconnecting: '{{problem}} The run goes on there; trying to reconnect.',
    runEnded: 'The run has ended.',
    trainerUsed: 'This trainer has been used. A new run needs a new trainer.',
    unexpected: "{{server}} answered with something that tinythink-remote doesn't send.",
  },
  sglang: {
    cors: 'SGLang allows every page, so a proxy in front of it must be removing the headers. Let the proxy send this header and answer OPTIONS requests.',
    needs32b: 'Two GPUs with 48 GB or more each.',
    needs671b: 'Eight GPUs with 141 GB each (8×H200).',
  },
  store: {
    incomplete: 'This server has no address or no name.',
    notServers: "This isn't a file of servers, or it is damaged.",
  },
  stream: {
    tooLong: 'The server sent an event of more than a megabyte, which no model server does.',
  },
  tgi: {
    corsWithKey:
      'TGI does not let web pages send a key, whatever its options: its CORS rules allow only the Content-Type header. Start it without a key, with this option, behind a tunnel or a proxy that adds the key.',
    key: "Enter the key that the server was started with. A browser can't send it to TGI; see CORS.",
    needs: 'One GPU with 24 GB, and Docker.',
  },
  training: {
    cors: 'Start the sidecar with this page allowed.',
    key: 'Enter the token that the sidecar was started with as the key.',
    needsSsh:
      'A machine with an NVIDIA GPU (or without one, but slowly), Python 3.10 or later, and a clone of this repository. Run the last line on this device: it brings the server here, so that no key is needed.',
    needsToken:
      'As above, at an address that others can reach. The sidecar speaks plain http, so put https in front of it unless the whole network is yours.',
    onThisDevice: 'on this device',
    titleSsh: 'GRPO on a GPU, through ssh',
    titleToken: 'GRPO on a GPU, with a token',
  },
  transformers: {
    cors: 'Start transformers serve with this option. It allows every page, so use it only on a machine that others can’t reach.',
    needs: '4 GB of memory; slow without a GPU.',
  },
  /** Uploading a data set to a training server, and starting a run there. */
  upload: {
    /** `problem` is a whole sentence. */
    failed: '{{file}}: {{problem}}',
    noServer: 'Choose a server before you upload a data set.',
    notConnected: 'The server has not answered yet.',
    tooLarge: '{{file}} is larger than the 64 MiB that a server accepts.',
  },
  vllm: {
    needs32b: 'Two GPUs with 48 GB or more each. The weights take 66 GB.',
    needs70b:
      'Four GPUs with 48 GB or more each, or two with 141 GB (then use --tensor-parallel-size 2). The weights take 141 GB.',
    needsOneNode: 'Eight GPUs with 141 GB each (8×H200). The weights in FP8 take about 690 GB.',
    needsTwoNodes: 'Two nodes of eight GPUs with 80 GB each (2×8×H100), connected by a fast network.',
    onFirstNode: 'on the first node',
    onSecondNode: 'on the second node, then continue on the first',
    oneNode: 'R1 itself, 671B, on one node',
    twoNodes: 'R1 itself, 671B, on two nodes',
  },
  /** The field for where a run is trained. */
  where: {
    connecting: 'Connecting to {{server}} …',
    editServer: 'Edit the server',
    existingDatasets: 'Data sets on this server',
    existingRuns: 'Runs on this server',
    keepsRunning: 'The run continues there when this page is closed.',
    label: 'Where',
    noServer: 'To train larger models, <connect>connect a GPU server</connect>.',
    thisBrowser: 'This browser',
    tryAgain: 'Try again',
  },
} as const;
