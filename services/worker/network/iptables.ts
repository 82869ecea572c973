import { look, run } from './command.ts';

export type Iptables = 'iptables' | 'ip6tables';

/** Docker itself holds the lock while it makes a network. */
const lockSeconds = '5';

/** The rules of a table as `iptables -S` prints them, one a line. All tables are looked at together: that is one process. */
export async function list(tool: Iptables, table: 'filter' | 'nat'): Promise<string[]> {
  const saved = await look(`${tool}-save`);
  const [, section = ''] = saved.split(new RegExp(`^\\*${table}$`, 'm'));
  const [rules = ''] = section.split(/^COMMIT$/m);
  return rules.split('\n').filter((line) => line.startsWith('-A '));
}

/** One transaction. */
export async function restore(tool: Iptables, script: string): Promise<void> {
  await run(`${tool}-restore`, ['-w', lockSeconds, '--noflush'], script);
}
