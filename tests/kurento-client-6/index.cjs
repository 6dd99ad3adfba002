module.exports = require('kurento-client');
