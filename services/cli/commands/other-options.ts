import type { CommandName } from './index.ts';

/** Options that `docker run` and other tools have and `runlet run` has not, and what there is instead. */
const ofRun: Record<string, string> = {
  '--rm': 'Leave it out: the container of a run is always removed.',
  '--name': 'A run has an id. --metadata name=VALUE labels it, and `runlet up --name` names a service.',
  '-p': 'A run has no port: `runlet up IMAGE --port 80` starts a service, which has one.',
  '--publish': 'A run has no port: `runlet up IMAGE --port 80` starts a service, which has one.',
  '--port': 'A run has no port: `runlet up IMAGE --port 80` starts a service, which has one.',
  '-v': 'A run has no volumes: --file FOLDER sends files along, --artifact GLOB keeps what it writes, `runlet up -v` is for services.',
  '--volume':
    'A run has no volumes: --file FOLDER sends files along, --artifact GLOB keeps what it writes, `runlet up -v` is for services.',
  '--mount':
    'A run has no volumes: --file FOLDER sends files along, --artifact GLOB keeps what it writes, `runlet up -v` is for services.',
  '-u': 'Every run has a user of its own without rights: leave it out.',
  '--user': 'Every run has a user of its own without rights: leave it out.',
  '--privileged': 'No run has more rights than others: leave it out.',
  '--cap-add': 'No run has capabilities: leave it out.',
  '--restart': 'A run ends once; `runlet up --restart` is for services.',
  '--net': 'It is called --network here: none or egress.',
  '--language': 'It is called --lang.',
  '-l': 'It is called --lang for a language, --metadata for a label.',
  '--label': 'It is called --metadata.',
  '--ram': 'It is called --memory.',
  '--mem': 'It is called --memory.',
  '--pids-limit': 'It is called --pids.',
  '--time': 'It is called --timeout.',
  '--max-time': 'It is called --timeout.',
  '-f': 'A program is named as it is, `runlet run main.py`; other files go with --file.',
  '--files': 'It is called --file, once for each.',
  '--args': 'Arguments come last, after --: `runlet run main.py -- ARG`.',
  '--input-file': 'It is called --input.',
  '--async': 'It is called --detach.',
  '--background': 'It is called --detach.',
  '--gpus': 'No run has a GPU.',
};

const asImage =
  'A service runs an image: name one, and send the program with --file, as in `runlet up node:24 --port 3000 --file server.mjs -- node server.mjs`.';

const ofUp: Record<string, string> = {
  '--lang': asImage,
  '-c': asImage,
  '--code': asImage,
  '--rm': '--on-idle remove removes it when nobody has called it for a while, `runlet rm NAME` at once.',
  '--timeout': 'A service has no time limit: --keep says how long it lives without a call.',
  '--publish': 'It is called --port, and takes the container’s port alone; --tcp is for what is not HTTP.',
  '--expose': 'It is called --port; --tcp is for what is not HTTP.',
  '-i': 'A service has no stdin: `runlet exec -it NAME sh` is a shell inside.',
  '-t': 'A service has no terminal: `runlet exec -it NAME sh` is a shell inside.',
  '-it': 'A service has no terminal: `runlet exec -it NAME sh` is a shell inside.',
  '--label': 'It is called --metadata.',
  '-l': 'It is called --metadata.',
  '--mount': 'It is called --volume: NAME:/PATH.',
  '--privileged': 'No service has more rights than others: leave it out.',
};

const tables: Partial<Record<CommandName, Record<string, string>>> = { run: ofRun, up: ofUp };

/** What to type instead of an option that a command does not have. */
export function insteadOfOption(command: CommandName, option: string): string | undefined {
  const table = tables[command] ?? {};
  return Object.hasOwn(table, option) ? table[option] : undefined;
}
