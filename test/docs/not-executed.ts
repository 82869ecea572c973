/** Commands of the pages that another test executes: that test, by its path. */
export const executedBy: Record<string, string> = {
  'sudo npm start': 'test/infra/start-sudo.test.ts',
  'npm test': '.ci/run',
  'npm run images -- hello-world busybox': 'test/infra/images.test.ts',
  'npm run bench -- --rounds 40': 'test/docs/bench.test.ts',
  'docker compose up -d --build': 'test/infra/compose.test.ts',
  'docker compose -f docker-compose.yml -f infra/compose/direct.yml up -d --build':
    'test/infra/compose-direct.test.ts',
  'docker compose down --volumes': 'test/infra/compose.test.ts',
  'curl -s "$RUNLET_URL/k/$RUNLET_API_KEY/fusion/run_code" -d \'{"language": "python", "code": "print(input())", "stdin": "hi"}\'':
    'test/compat/fusion/whole.test.ts',
  'curl -s "$RUNLET_URL/judge0/submissions?wait=true" -H "X-Auth-Token: $RUNLET_API_KEY" -H \'Content-Type: application/json\' -d \'{"language_id": 71, "source_code": "print(input()[::-1])", "stdin": "stressed", "expected_output": "desserts"}\'':
    'test/compat/judge0/programs.test.ts',
};

/** Commands that no test executes, and why. */
export const notExecuted: Record<string, string> = {
  'git clone ADDRESS runlet && cd runlet': 'needs the server that has the repository',
  'git pull': 'needs the server that has the repository',
  'git checkout VERSION': 'changes the files under test',
  'runlet keys add laptop | ssh laptop runlet login --url https://runlet.example.com --key-stdin':
    'needs another machine, with SSH',
  'runlet login --url https://runlet.example.com': 'needs a domain, and a terminal to ask on',
};
