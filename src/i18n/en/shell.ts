/** @file English: the frame around every page, offline updates, dropped files, and advice when there is no GPU. */
export const shell = {
  /** Names of the pages, in the navigation and in the tab's title. */
  pages: {
    train: 'Train',
    chat: 'Chat',
    models: 'Models',
    eval: 'Eval',
    distil: 'Distil',
    connect: 'Connect',
    runs: 'Runs',
    about: 'About',
  },
  documentTitle: '{{page}} · tinythink',

  app: {
    skipToContent: 'Skip to content',
    home: 'tinythink, start page',
    loadingPage: 'Loading {{page}}…',
    loadFailed: "This page couldn't be loaded: {{reason}}",
    reload: 'Reload',
  },

  notFound: {
    title: 'Page not found',
    /** `address` is what follows the # in the address bar. */
    text: 'There is no page at “{{address}}”. These are the pages of tinythink:',
  },

  navigation: {
    label: 'Pages',
    more: 'More',
    /** Read out after “More”. */
    morePages: 'pages',
    morePagesCurrent: 'pages, now on {{page}}',
  },

  theme: {
    system: 'Colour scheme: system',
    light: 'Colour scheme: light',
    dark: 'Colour scheme: dark',
    change: '{{current}}. Change it',
  },

  update: {
    ready: 'A new version of tinythink is ready.',
    replaced: 'Another tab has updated tinythink. Reload this one to use the new version.',
    reload: 'Reload',
    later: 'Later',
    /** `what` is a list such as “the training run and an answer”. */
    interrupts: 'Reloading now would interrupt {{what}}.',
    otherTab: 'what another tab is doing',
    reloadAnyway: 'Reload anyway',
    wait: 'Wait',
  },

  frame: {
    refused:
      'This page is shown inside another page, which could make you click something that you didn’t mean to. So nothing can be deleted, imported or connected with a key here. Open it in a tab of its own for that.',
    open: 'Open in its own tab',
  },

  /** The engine's worker has not answered for half a minute. */
  engine: {
    silent:
      'The engine has stopped answering, so nothing on it can continue or be cancelled. It may be stuck in a model’s tokenizer or chat template.',
    restartEnds:
      'If you restart it, an answer that is being written is lost, and a saved run can be resumed from its last checkpoint.',
    restart: 'Restart the engine',
  },

  drop: {
    overlay: 'Drop files anywhere',
    overlayHint: 'Models, adapters, runs, data sets, problem files or conversations',
    reading: 'Reading {{name}}…',
    /** Each names the page that the files were sent to. */
    wentTo: {
      run: '“{{name}}” is a training run, so it was sent to Runs.',
      modelZip: '“{{name}}” is a model in a zip, so it was sent to Runs, where imported models are.',
      model: '“{{name}}” is a model, so it was sent to Models.',
      adapter: '“{{name}}” is a LoRA adapter, so it was sent to Chat.',
      dataset: '“{{name}}” is a data set to fine-tune on, so it was sent to Distil.',
      problems: '“{{name}}” is a file of problems, so it was sent to Eval.',
      conversations: '“{{name}}” has conversations, so it was sent to Chat.',
    },
    problem: {
      empty: 'There is no file in what you dropped.',
      several: 'Drop one file or one folder at a time.',
      unknown:
        "tinythink doesn't know what to do with “{{name}}”. It reads models (.gguf, a Hugging Face folder or a .zip), LoRA adapters (a PEFT folder), runs, data sets and problems (.jsonl), and conversations (.json).",
      severalModels: 'These are several .gguf files. Drop one of them.',
      noWeights: '“{{name}}” has a config.json, but no .safetensors file with the weights.',
      noAdapterWeights: '“{{name}}” has an adapter_config.json, but no adapter_model.safetensors.',
      brokenZip: '“{{name}}” can’t be unpacked: {{reason}}',
      unreadable: '“{{name}}” can’t be read: {{reason}}',
      tooLarge: '“{{name}}” is too large to be read here.',
    },
  },

  diagnosis: {
    worksAnyway: 'Without a GPU you can still watch recorded runs, open saved ones, and chat with models on servers.',
    thisBrowser: 'this browser',
    thisSystem: 'this system',
    updateBrowser: 'Update {{browser}}.',

    otherBrowser: {
      windows: 'Or open this page in a current Chrome or Edge, or in Firefox 141 or later.',
      macos: 'Or open this page in a current Chrome or Edge, in Firefox 147 or later, or in Safari on macOS 26.',
      linux: 'Or open this page in a current Chrome or Edge. Some GPUs need a flag there, which this page then names.',
      android: 'Or open this page in a current Chrome, on Android 12 or later.',
      other: 'Or open this page in a current Chrome or Edge on Windows, macOS or ChromeOS.',
    },

    insecure: {
      title: "This address isn't secure, so the browser hides the GPU",
      why: 'Browsers offer WebGPU only over https and on localhost. This page came from {{origin}}.',
      localhost: 'If this machine serves the page, open it as localhost:',
      https: 'Otherwise, serve it over https. Any certificate that the browser accepts will do.',
      flag: 'To try it without a certificate, add {{origin}} to the list on this settings page, then restart the browser:',
    },

    noApi: {
      title: "WebGPU isn't available in {{browser}}",
      unknown: 'This page computes on the GPU through WebGPU, which {{browser}} on {{system}} doesn’t offer.',
      olderVersion: '{{browser}} supports WebGPU on {{system}} from version {{from}}. This is version {{version}}.',
      ios: {
        why: 'On iPhone and iPad, every browser uses the WebKit of the system, which supports WebGPU from version 26.',
        update: 'Update to iOS or iPadOS 26 or later: Settings › General › Software Update.',
        flag: 'On version 17.4 or 18, turn it on: Settings › Apps › Safari › Advanced › Feature Flags › WebGPU.',
      },
      safari: {
        older: 'Safari supports WebGPU from version 26. This is version {{version}}.',
        off: 'Safari supports WebGPU on macOS 26 and later, but it is off here. Lockdown Mode and an older macOS both turn it off.',
        unknownVersion: 'Safari supports WebGPU from version 26.',
        update: 'Update to macOS 26 or later: System Settings › General › Software Update.',
        flag18:
          'On Safari 18, turn it on: Settings › Advanced › Show features for web developers, then Develop › Feature Flags › WebGPU.',
        flag: 'Turn it on: Settings › Advanced › Show features for web developers, then Develop › Feature Flags › WebGPU.',
        lockdown: 'If Lockdown Mode is on, exclude this site from it: Safari › Settings › Websites › Lockdown Mode.',
      },
      /** WebKit outside Apple’s systems, such as GNOME Web. */
      webkit: 'This browser is built on WebKitGTK or WPE WebKit, which don’t support WebGPU. Only Apple’s WebKit does.',
      firefox: {
        windows: 'Windows',
        macos: 'Macs with Apple silicon',
        older: 'Firefox supports WebGPU on {{where}} from version {{from}}. This is version {{version}}.',
        off: 'Firefox supports WebGPU on {{where}}, but it is off here. The graphics driver may be blocked, WebGPU may be turned off, or this machine may not be supported yet.',
        notByDefault: 'Firefox doesn’t turn WebGPU on by default on {{system}} yet. Firefox Nightly does.',
        update: 'Update Firefox to version {{from}} or later: Menu › Help › About Firefox.',
        support:
          'Open this page, and read what Firefox says about the graphics driver under “Decision Log”. A newer driver often helps:',
        flag: 'Or turn it on in this version, where it is experimental: set dom.webgpu.enabled to true on this page:',
        nightly: 'Use Firefox Nightly.',
      },
      chromium: {
        linux:
          'On Linux, {{browser}} turns WebGPU on by default only for some GPUs: Intel generation 12 or later from version 144, and NVIDIA with driver 535.183.01 or later from version 147. Other GPUs need a flag.',
        android:
          'On Android, {{browser}} supports WebGPU on Android 12 or later with an ARM, Qualcomm or Intel GPU, and on Android 16 with an Imagination GPU.',
        updateBoth: 'Update {{browser}} and Android.',
        off: '{{browser}} supports WebGPU on {{system}}, but it is off here. A setting or a policy may have turned it off, or this machine may not be supported yet: Windows on ARM needs the flag below.',
        flag: 'Turn it on, then restart the browser:',
        acceleration: 'Turn graphics acceleration on, then restart the browser:',
        status: 'Read what the browser says about WebGPU:',
      },
    },

    linux: {
      start: 'Close every window of the browser, then start it from a terminal with Vulkan and WebGPU turned on:',
      driver: 'Check that the system has a Vulkan driver. This command should name your GPU:',
    },

    noAdapter: {
      title: 'The browser supports WebGPU, but found no GPU',
      why: 'The browser was asked for a GPU and offered none. Graphics acceleration may be off, the GPU or its driver may be blocked, or this machine may have no GPU that WebGPU can use.',
      blocked: 'Check under WebGPU whether the GPU is blocked, and why:',
      override:
        'Update the graphics driver. If the GPU is still blocked, this flag overrides the block, at your own risk:',
      software: 'Without a GPU, a much slower software GPU can run the small presets. Start the browser with:',
      firefox: 'Read what Firefox says about WebGPU and the graphics driver, then update the driver:',
      other: 'Update the system and its graphics driver, then restart the browser.',
      virtual: 'In a virtual machine or over remote desktop, browsers often see no GPU. Try it on the machine itself.',
    },

    noDevice: {
      title: 'The GPU is there, but the browser couldn’t open it',
      why: 'The browser found the GPU, but couldn’t open it: {{reason}}',
      close: 'Close other pages and programs that use the GPU, then reload this page.',
      restart: 'Restart the browser. After several GPU crashes it refuses to open the GPU again.',
      driver: 'Update the graphics driver.',
    },

    lost: {
      title: 'The connection to the GPU was lost',
      why: 'The GPU stopped responding: {{reason}} A run resumes from its last checkpoint.',
      resume:
        'Resume the run. If it happens again, use fewer prompts, fewer completions or shorter ones: the batch may be too large for this GPU.',
      reload:
        'A laptop that slept, a driver update or another program’s crash can also take the GPU away. Then reloading the page is enough.',
    },
    noReason: 'no reason was given.',
  },
} as const;
