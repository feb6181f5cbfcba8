/** @file The English catalogue, one namespace a page or floor. Another language is another folder like this one. */
import { about } from './about';
import { chat } from './chat';
import { common } from './common';
import { config } from './config';
import { connect } from './connect';
import { distil } from './distil';
import { engine } from './engine';
import { evaluation } from './eval';
import { models } from './models';
import { runs } from './runs';
import { servers } from './servers';
import { shell } from './shell';
import { storage } from './storage';
import { train } from './train';

export const en = {
  about,
  chat,
  common,
  config,
  connect,
  distil,
  engine,
  eval: evaluation,
  models,
  runs,
  servers,
  shell,
  storage,
  train,
} as const;
