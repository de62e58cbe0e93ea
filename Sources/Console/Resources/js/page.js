// Pages that only need the clock and the sign of the live stream.

import "./clock.js";
import { currentCursor, follow } from "./stream.js";

follow(await currentCursor().catch(() => ""));
