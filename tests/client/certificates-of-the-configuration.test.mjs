// Certificates of the operator: their files may be named relative to the main configuration file.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

const KEYS = { RSA: ['rsa:2048'], ECDSA: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] };
const fingerprints = {};
let server, client;

before(async () => {
  const moduleConfig = Object.keys(KEYS).map((type) => `pemCertificate${type}=${type}.pem\n`).join('');
  server = await startRivero({
    moduleConfig: { 'kurento/WebRtcEndpoint.conf.ini': moduleConfig },
    arrange: (modules) => Object.keys(KEYS).forEach((type) => makeCertificate(dirname(modules), type)),
  });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

/** A file with key and certificate; notes its fingerprint as SDP has it. */
function makeCertificate(directory, type) {
  const [key, certificate, file] = ['key', 'cert', 'pem'].map((ending) => join(directory, `${type}.${ending}`));
  const subject = ['-nodes', '-subj', '/CN=operator', '-days', '30', '-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', ...KEYS[type], ...subject], { stdio: 'ignore' });
  writeFileSync(file, Buffer.concat([readFileSync(key), readFileSync(certificate)]));
  const text = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256'], { encoding: 'utf8' });
  fingerprints[type] = text.trim().split('=')[1];
}

for (const certificateKeyType of Object.keys(KEYS)) {
  test(`${certificateKeyType}: the endpoint shows the operator's certificate`, async () => {
    const pipeline = await client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint', { certificateKeyType });
    const offer = await invoke(endpoint, 'generateOffer');
    assert.match(offer, new RegExp(`a=fingerprint:sha-256 ${fingerprints[certificateKeyType]}`, 'i'));
    await pipeline.release();
  });
}
