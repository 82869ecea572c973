import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Answers, answerTo } from './dns.ts';
import { tool } from './tool.ts';

export type ToGate =
  | { listen: { address: string; port: number } }
  /** `to`: the port that asked. */
  | { answer: string; to: number };
export type FromGate = { ready: true } | { listening: string } | { question: string; from: number };

export type Island = {
  /** This takes the connections to an address and port from now on. At its other ports they are refused. */
  at(address: string, port: number, handler: (socket: Socket) => void): Promise<void>;
  /** `address port` of every connection that anybody made, the newest last. */
  touched: string[];
  /** Says what a name resolves to, each time it is asked; `undefined` is silence. A name of which nothing is said does not exist. */
  names: Map<string, Answers>;
  /** Names in the order they were asked for. */
  asked: string[];
  /** What makes a program run on the island: put before its command. */
  prefix: string[];
  stop(): Promise<void>;
};

/**
 * A network of its own: a namespace with a loopback and nothing else, so that no packet leaves it whatever fails. Any address can be put
 * there, public or forbidden, and each is served by the test. It has a resolver, at 127.0.0.1, that is the test's too.
 */
export async function startIsland(folder: string): Promise<Island> {
  const name = `rlisle${process.pid}`;
  const settings = `/etc/netns/${name}`;
  const path = join(folder, 'gate.sock');
  const ip = (...args: string[]) => tool('ip', ...args);
  const prefix = ['ip', 'netns', 'exec', name];
  const handlers = new Map<string, (socket: Socket) => void>();
  const addresses = new Set(['127.0.0.1', '::1']);
  const touched: string[] = [];
  const asked: string[] = [];
  const names = new Map<string, Answers>();

  // The tools of iproute2 put these in the place of the machine's own for programs that run there.
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  writeFileSync(join(settings, 'hosts'), '127.0.0.1 localhost\n203.0.114.80 listed.example\n');
  ip('netns', 'add', name);
  ip('-n', name, 'link', 'set', 'lo', 'up');

  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.once('data', (address: Buffer) => {
      socket.pause();
      socket.write('!');
      const key = address.toString();
      touched.push(key);
      handlers.get(key)?.(socket);
    });
  });
  server.listen(path);
  await once(server, 'listening');

  const [command = '', ...args] = prefix;
  const gate = spawn(
    command,
    [...args, process.execPath, fileURLToPath(import.meta.resolve('./island-gate.ts')), path],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const tell = (message: ToGate) => gate.send(message);
  gate.on('message', (message: FromGate) => {
    if (!('question' in message)) return;
    const answer = answerTo(Buffer.from(message.question, 'base64'), names, asked);
    if (answer !== undefined) tell({ answer: answer.toString('base64'), to: message.from });
  });
  await heard(gate, (message) => 'ready' in message);

  return {
    touched,
    names,
    asked,
    prefix,
    async at(address, port, handler) {
      if (!addresses.has(address)) ip('-n', name, 'addr', 'add', address, 'dev', 'lo', 'nodad');
      addresses.add(address);
      const key = `${address} ${port}`;
      const known = handlers.has(key);
      handlers.set(key, handler);
      if (known) return;
      const listening = heard(gate, (message) => 'listening' in message && message.listening === key);
      tell({ listen: { address, port } });
      await listening;
    },
    async stop() {
      const ended = once(gate, 'exit');
      gate.disconnect();
      await ended;
      for (const socket of sockets) socket.destroy();
      server.close();
      ip('netns', 'del', name);
      rmSync(settings, { recursive: true });
    },
  };
}

function heard(gate: ChildProcess, wanted: (message: FromGate) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the gate of the island ended'));
    const listen = (message: FromGate) => {
      if (!wanted(message)) return;
      gate.off('message', listen);
      gate.off('exit', ended);
      resolve();
    };
    gate.on('message', listen);
    gate.once('exit', ended);
  });
}
