import { connectGoJudge } from './go-judge.ts';
import { connectPiston } from './piston.ts';
import type { Server } from './servers.ts';

const kinds = { Piston: connectPiston, 'go-judge': connectGoJudge };

export type PeerKind = keyof typeof kinds;
export type Peer = Server & { kind: PeerKind };
/** Where each is, of those that are wanted. */
export type PeerUrls = Record<PeerKind, string | undefined>;

/** Those that were named and answer. */
export async function connectPeers(urls: PeerUrls, say: (line: string) => void): Promise<Peer[]> {
  const found: Peer[] = [];
  for (const kind of Object.keys(kinds) as PeerKind[]) {
    const url = urls[kind]?.replace(/\/+$/, '');
    if (url === undefined) continue;
    try {
      found.push({ kind, ...(await kinds[kind](url)) });
    } catch (error) {
      say(`without ${kind}: ${(error as Error).message}`);
    }
  }
  return found;
}
