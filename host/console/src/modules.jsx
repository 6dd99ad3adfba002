// The modules, and how much the server and each of them write into the log.

import { useState } from 'preact/hooks';

const LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'];

export function Modules({ feed }) {
  const server = feed.entries.get('server');
  const [trouble, setTrouble] = useState('');
  const change = async (name, level) => setTrouble((await feed.setLevel(name, level)) ?? '');
  const level = (name) => <Level name={name} level={server?.logLevels[name]} mayWrite={feed.hello.mayWrite} change={change} />;
  const refused = feed.all('refused');
  return (
    <section aria-label="Modules">
      <h1>Modules</h1>
      <p>
        The log was started with <code>{server?.logDirectives}</code>. {feed.hello.mayWrite ? 'A level given here lasts until the server ends.' : 'Levels can be changed here if mediaServer.console.write is set in the configuration.'}
      </p>
      <p role="alert" class="trouble">
        {trouble}
      </p>
      <table>
        <thead>
          <tr>
            {['Module', 'Version', 'Generation', 'State', 'Classes', 'Log level'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">server</th>
            <td>{feed.hello.version}</td>
            <td />
            <td>{server?.phase}</td>
            <td />
            <td>{level('server')}</td>
          </tr>
          {feed.all('module').map((module) => (
            <tr key={`${module.file} ${module.generation}`}>
              <th scope="row" title={module.file}>
                {module.name}
              </th>
              <td>{module.version}</td>
              <td>
                {module.generation} <small>(built {module.built})</small>
              </td>
              <td>
                <span class={module.state === 'live' ? 'badge flowing' : 'badge converting'}>{module.state}</span>
              </td>
              <td class="classes">{module.classes.join(', ')}</td>
              <td>{level(module.name)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {refused.length > 0 && <Refused files={refused} />}
    </section>
  );
}

function Level({ name, level, mayWrite, change }) {
  if (!mayWrite) return level ?? 'as started';
  return (
    <select aria-label={`Log level of ${name}`} value={level ?? ''} onChange={(event) => change(name, event.currentTarget.value)}>
      <option value="">as started</option>
      {LEVELS.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </select>
  );
}

function Refused({ files }) {
  return (
    <>
      <h2>Files that were not taken</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          {files.map(({ file, reason }) => (
            <tr key={file}>
              <th scope="row">
                <code>{file}</code>
              </th>
              <td>{reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
