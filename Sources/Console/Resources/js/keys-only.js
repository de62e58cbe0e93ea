// Pages that look back: the clock and the keys.

import "./clock.js";
import { startKeys } from "./keys.js";

startKeys();
