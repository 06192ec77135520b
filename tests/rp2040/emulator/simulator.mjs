// The simulated BitScope, as a program that listens.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const PROGRAM = process.env.SCOPETHING ?? fileURLToPath(new URL('../../../target/debug/scopething', import.meta.url));

/** Starts `scopething simulate` with these arguments; gives its host, its port and how to stop it. */
export async function simulate(program, args, stderr = 'inherit') {
  const child = spawn(program, ['simulate', '--tcp', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', stderr] });
  const failed = once(child, 'exit').then(([code]) => { throw new Error(`scopething simulate ended with ${code}`); });
  const [line] = await Promise.race([once(child.stdout, 'data'), failed]);
  failed.catch(() => {});
  const [host, port] = JSON.parse(line).tcp.split(':');
  return { host, port: Number(port), stop: () => child.kill() };
}
