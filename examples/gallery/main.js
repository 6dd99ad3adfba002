// Tells at a glance whether the server is there and which modules it has.

import { connectToServer, serverAddress } from '../common/call.js';
import { showError, showState } from '../common/page.js';

try {
  const client = await connectToServer();
  const manager = await client.getServerManager();
  const { version, modules } = await manager.getInfo();
  const names = modules.map(({ name }) => name).join(', ');
  showState('live', `${await serverAddress()} answers: protocol ${version}, modules ${names}`);
  client.close();
} catch (error) {
  showError(error);
}
