/** @file The entry point of the page: mounts the app. */
import { mount } from 'svelte';
import App from './App.svelte';
import { keepAppOffline } from './app-update.svelte';
import './theme.css';
import { theme } from './theme.svelte';

theme.apply();

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target });
void keepAppOffline();
