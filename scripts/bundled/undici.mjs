/** The parts of undici that are bundled in its place: its own entry point loads all it has. */
import api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

/** Of client-node's API classes, which the operator does not use. */
const fetch = () => Promise.reject(new Error('fetch of undici is not in this bundle'));

// As undici's own entry point does.
Object.assign(Dispatcher.prototype, api);

export { Agent, fetch, Pool, ProxyAgent };
