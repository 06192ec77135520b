import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './bench.mjs';

test('a bridge URL captures as a device does', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  const args = ['capture', '--url', bench.bridge, '-n', '5', '--json'];
  const { out, err, code } = await bench.host(args);
  assert.equal(code, 0, err);
  assert.equal(out.trim().split('\n').length, 5);
});
