// The emulator as a user starts it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PROGRAM } from './bench.mjs';

const EMULATE = fileURLToPath(new URL('../emulate', import.meta.url));

test('one command runs the bridge without a board', async (t) => {
  const child = spawn(EMULATE, ['--signal', 'A=sine 1kHz 0..3V'], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  const log = createInterface({ input: child.stderr });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { stream, bridge } = JSON.parse(line);
  const { stdout } = await promisify(execFile)(PROGRAM, ['capture', '--url', stream, '--json']);
  assert.equal(JSON.parse(stdout).cause, 'trigger');

  const pressed = new Promise((resolve) => { log.on('line', (text) => { if (text.includes('BOOTSEL: Short')) resolve(); }); });
  child.stdin.write('b\n');
  await pressed;
  const status = await promisify(execFile)(PROGRAM, ['bridge', 'status', '--url', bridge]);
  assert.match(status.stdout, /power-up/);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
