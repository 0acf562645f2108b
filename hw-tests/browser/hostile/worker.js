postMessage('a worker runs');
