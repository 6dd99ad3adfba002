import { offerLoopback } from '../common/loopback.js';

offerLoopback({ live: 'Your camera is coming back' });
