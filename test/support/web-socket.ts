import { WebSocket } from 'ws';
import type { Runlet } from './runlet.ts';

/** A WebSocket to a path of this Runlet, with its key. */
export const webSocket = ({ url, apiKey }: Runlet, path: string): WebSocket =>
  new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers: { authorization: `Bearer ${apiKey}` } });
