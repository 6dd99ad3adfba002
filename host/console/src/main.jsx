// The console's page: where it is decided what is shown.

import { render } from 'preact';
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';

import 'uplot/dist/uPlot.min.css';
import './style.css';

import { Feed } from './feed.js';
import { Events, Log } from './lines.jsx';
import { Modules } from './modules.jsx';
import { Pipeline } from './pipeline.jsx';
import { megabytes, Rates } from './rates.js';
import { Pipelines, Sessions } from './tables.jsx';

const VIEWS = { pipelines: 'Pipelines', sessions: 'Sessions', modules: 'Modules', events: 'Events', log: 'Log' };

/** `#/pipelines/ID/OBJECT`, each part percent-encoded. */
function place() {
  const [, view, pipeline, object] = location.hash.split('/').map(decodeURIComponent);
  return { view: view in VIEWS ? view : 'pipelines', pipeline, object };
}

function usePlace() {
  const [now, set] = useState(place);
  useEffect(() => {
    const follow = () => set(place());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return now;
}

function useFeed({ pipeline, object }) {
  const [, changed] = useReducer((count) => count + 1, 0);
  const feed = useRef();
  feed.current ??= new Feed(changed);
  useEffect(() => feed.current.want(pipeline, object ?? pipeline), [pipeline, object]);
  return feed.current;
}

function Console() {
  const here = usePlace();
  const feed = useFeed(here);
  const rates = useRef(new Rates()).current;
  const graph = feed.entries.get(`graph/${here.pipeline}`);
  if (graph) rates.take(graph);
  const main = useRef();
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header>
        <p class="title">Rivero console</p>
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([view, name]) => (
            <a key={view} href={`#/${view}`} aria-current={view === here.view ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <Status feed={feed} />
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        {feed.status === 'locked' ? <Locked /> : <View here={here} feed={feed} graph={graph} rates={rates} />}
      </main>
    </>
  );
}

function View({ here, feed, graph, rates }) {
  if (here.view === 'sessions') return <Sessions feed={feed} />;
  if (here.view === 'modules') return <Modules feed={feed} />;
  if (here.view === 'events') return <Events feed={feed} />;
  if (here.view === 'log') return <Log feed={feed} />;
  if (here.pipeline) return <Pipeline key={here.pipeline} id={here.pipeline} object={here.object} feed={feed} graph={graph} rates={rates} />;
  return <Pipelines feed={feed} />;
}

const STATUS = { connecting: 'connecting', open: 'live', closed: 'disconnected', locked: 'locked' };

function Status({ feed }) {
  const server = feed.entries.get('server');
  return (
    <div class="status">
      {server && (
        <dl class="figures">
          <Figure name="pipelines" value={server.pipelines} />
          <Figure name="sessions" value={server.sessions} />
          <Figure name="objects" value={server.objects} />
          <Figure name="conversions" value={server.conversions.reduce((sum, { running }) => sum + running, 0)} />
          <Figure name="memory" value={megabytes(server.memoryBytes)} />
        </dl>
      )}
      <p role="status" class={`link ${feed.status}`} title={feed.trouble}>
        {STATUS[feed.status]}
        {feed.status === 'closed' && ', trying again'}
        {server && server.phase !== 'running' && ` (${server.phase})`}
      </p>
    </div>
  );
}

function Figure({ name, value }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Locked() {
  return (
    <>
      <h1>The server wants another password</h1>
      <p>Load this page again to enter it.</p>
    </>
  );
}

render(<Console />, document.getElementById('console'));
