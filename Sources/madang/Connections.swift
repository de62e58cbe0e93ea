import Glibc
import HummingbirdCore
import NGSI
import Synchronization

/// How many clients may be connected, and how many are.
///
/// At the bound nobody new is let in until someone goes; who is silent has to go after the idle time.
final class Connections: AvailableConnectionsDelegate {
  /// About 8 KB of memory each.
  private static let most = 20_000
  /// Files that the store, the console and deliveries may need at once.
  private static let ownFiles = 300

  let bound: Int
  private let open = Atomic(0)

  /// Takes as many as the system lets this process have open: the soft limit, 1,024 as a rule, is raised to the hard one.
  init() {
    var files = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    files.rlim_cur = min(files.rlim_max, rlim_t(Self.most + Self.ownFiles))
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    bound = max(64, min(Self.most, Int(clamping: files.rlim_cur) - Self.ownFiles))
  }

  func connectionOpened() { open.wrappingAdd(1, ordering: .relaxed) }
  func connectionClosed() { open.wrappingSubtract(1, ordering: .relaxed) }
  func isAcceptingNewConnections() -> Bool { open.load(ordering: .relaxed) < bound }

  /// A section of the health report.
  var health: JSON {
    ["open": ["value": .integer(Int64(open.load(ordering: .relaxed))), "bound": .integer(Int64(bound))]]
  }
}
