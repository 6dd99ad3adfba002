// Firefox through WebDriver BiDi, with the same probe page as Chromium.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import puppeteer from 'puppeteer-core';

import { assertPrivateNetwork } from './browser.mjs';
import { servePages } from './page-server.mjs';
import { until } from './wait.mjs';

const PREFERENCES = {
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.autoplay.block-webaudio': false,
  // Candidates with addresses, those of loopback too.
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // Nothing on the network is looked for.
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
};

/** What starting Firefox may take, and opening a page: tens of seconds where others keep the processors busy. */
const PATIENCE_MS = 180_000;

/** Firefox with a fresh profile and a server for the pages of `tests/pages`. */
export async function launchFirefox() {
  assertPrivateNetwork();
  const pages = await servePages();
  const sound = await startSound();
  const profile = mkdtempSync(join(tmpdir(), 'rivero-firefox-'));
  const end = async () => {
    await pages.close();
    await sound.stop();
    // Processes of a Firefox that has ended may still write into it for a moment.
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  let browser;
  try {
    browser = await puppeteer.launch({
      env: { ...process.env, PULSE_SERVER: `unix:${sound.socket}` },
      browser: 'firefox',
      executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
      headless: true,
      userDataDir: profile,
      extraPrefsFirefox: PREFERENCES,
      timeout: PATIENCE_MS,
      protocolTimeout: PATIENCE_MS,
    });
  } catch (error) {
    // The test would wait for what goes on, and end without this error.
    await end();
    throw error;
  }
  return {
    /** Opens the page that has `globalThis.probe`, the media functions of tests/pages/. */
    async openProbe() {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      page.troubles = [];
      page.on('pageerror', (error) => page.troubles.push(String(error)));
      await page.goto(`${pages.origin}/probe.html`);
      await page.waitForFunction(() => globalThis.probe !== undefined);
      return page;
    },
    async close() {
      await browser.close();
      await end();
    },
  };
}

/** Without a sound device Firefox's AudioContext stands still: one that plays to nobody. */
async function startSound() {
  const home = mkdtempSync(join(tmpdir(), 'rivero-sound-'));
  const socket = join(home, 'native');
  const modules = ['module-null-sink', `module-native-protocol-unix socket=${socket} auth-anonymous=1`];
  const options = ['-n', '--daemonize=no', '--exit-idle-time=-1', '--use-pid-file=no', '--disable-shm=yes'];
  const child = spawn('pulseaudio', [...options, ...modules.flatMap((name) => ['-L', name])], {
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  const early = ended.then((code) => {
    if (!existsSync(socket)) throw new Error(`pulseaudio ended with ${code}`);
  });
  await Promise.race([until(() => existsSync(socket), 'pulseaudio listens'), early]);
  return {
    socket,
    async stop() {
      child.kill();
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
