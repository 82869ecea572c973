/** Options that `docker run` has and `runlet run` has not, and what there is instead. */
const instead: Record<string, string> = {
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

/** What to type instead of an option that `runlet run` does not have. */
export const insteadOfOption = (option: string): string | undefined =>
  Object.hasOwn(instead, option) ? instead[option] : undefined;
