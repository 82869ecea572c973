import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

/**
 * dockerd makes a bridge (docker0) and iptables chains, turns IP forwarding on, and leaves all this when it ends. What was not
 * there before our Engine started is removed after it stopped. The note is stored beside the Engine's data. So a start after an
 * unclean stop still knows how the machine was at first.
 */
interface Before {
  bridge: boolean;
  chains: boolean;
  forwarding: string;
  forwardPolicy: string;
}

const forwardingFile = '/proc/sys/net/ipv4/ip_forward';
const noteIn = (dataRoot: string) => join(dataRoot, 'network-before.json');

/** Notes how the network is before our Engine changes it. */
export async function rememberNetwork(dataRoot: string): Promise<void> {
  if (existsSync(noteIn(dataRoot))) return;
  const forward = await run('iptables', ['-w', '-S', 'FORWARD'], { allowFailure: true });
  const before: Before = {
    bridge: (await run('ip', ['link', 'show', 'docker0'], { allowFailure: true })).code === 0,
    chains: (await run('iptables', ['-w', '-S', 'DOCKER'], { allowFailure: true })).code === 0,
    forwarding: readFileSync(forwardingFile, 'utf8').trim(),
    forwardPolicy: /^-P FORWARD (\w+)/m.exec(forward.stdout)?.[1] ?? 'ACCEPT',
  };
  writeFileSync(noteIn(dataRoot), JSON.stringify(before));
}

/** Restores the network. Does nothing while another dockerd runs, since it uses the same chains. */
export async function cleanNetwork(dataRoot: string): Promise<void> {
  if (!existsSync(noteIn(dataRoot)) || otherEngineRuns()) return;
  const before = JSON.parse(readFileSync(noteIn(dataRoot), 'utf8')) as Before;
  if (!before.bridge) await run('ip', ['link', 'delete', 'docker0'], { allowFailure: true });
  if (!before.chains) {
    for (const command of ['iptables', 'ip6tables']) {
      for (const table of ['filter', 'nat', 'raw']) await removeDockerRules(command, table);
    }
    await run('iptables', ['-w', '-P', 'FORWARD', before.forwardPolicy], { allowFailure: true });
  }
  if (before.forwarding === '0') writeFileSync(forwardingFile, '0');
  rmSync(noteIn(dataRoot), { force: true });
}

async function removeDockerRules(command: string, table: string): Promise<void> {
  const list = await run(command, ['-w', '-t', table, '-S'], { allowFailure: true });
  if (list.code !== 0) return;
  const rules = list.stdout.split('\n').filter((line) => /DOCKER|docker0|RUNLET-/.test(line));
  // Rules come before chains: a chain cannot be deleted while a rule still jumps to it.
  for (const rule of rules.filter((line) => line.startsWith('-A '))) {
    await run(command, ['-w', '-t', table, '-D', ...rule.slice(3).split(' ')], { allowFailure: true });
  }
  const chains = rules.filter((line) => line.startsWith('-N ')).map((line) => line.slice(3).trim());
  for (const chain of chains) await run(command, ['-w', '-t', table, '-F', chain], { allowFailure: true });
  for (const chain of chains) await run(command, ['-w', '-t', table, '-X', chain], { allowFailure: true });
}

export function otherEngineRuns(): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/comm`, 'utf8').trim() === 'dockerd';
    } catch {
      return false;
    }
  });
}
