/** @file The kind that trains and answers no prompts: tinythink-remote, the sidecar in remote/. */
import { t } from '../../i18n';
import { shellWord } from '../commands';
import { readInfo } from '../training/sidecar-schema';
import type { Kind } from './kind';

const SERVE = '.venv/bin/python -m tinythink_remote serve --models public/models --runs ~/tinythink-runs';

const allowPage = (origin: string): string => `--origin ${shellWord(origin)}`;

export const training: Kind = {
  name: t('servers:kinds.training'),
  defaultUrl: 'http://localhost:8790',
  detection: { probe: { path: '/info', matches: (answer) => readInfo(answer) !== null } },
  statusPath: '/info',
  corsRemedies: (origin) => [{ text: t('servers:training.cors'), command: allowPage(origin) }],
  keyRemedy: { text: t('servers:training.key'), command: '--token-file FILE' },
  listenOption: '--host 0.0.0.0 --token-file FILE',
  startPresets: (origin) => [
    {
      id: 'training',
      title: t('servers:training.titleSsh'),
      needs: t('servers:training.needsSsh'),
      commands: [
        'python3 -m venv .venv && .venv/bin/pip install ./remote',
        `${SERVE} ${allowPage(origin)}`,
        `ssh -NL 8790:localhost:8790 you@server       # ${t('servers:training.onThisDevice')}`,
      ],
      model: '',
    },
    {
      id: 'training-token',
      title: t('servers:training.titleToken'),
      needs: t('servers:training.needsToken'),
      commands: [
        '(umask 077; openssl rand -hex 32 > token); cat token',
        `${SERVE} --host 0.0.0.0 --token-file token ${allowPage(origin)}`,
      ],
      model: '',
    },
  ],
};
