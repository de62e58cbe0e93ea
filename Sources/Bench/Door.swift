import Foundation
import NIOCore

/// Where the hub answers, and which process it is.
struct Door: Sendable {
  let url: String
  /// As it stands in the header `Host`.
  let host: String
  let address: SocketAddress
  let pid: Int32?
  let clock: ProcessClock?

  init(url: String, allowsRemote: Bool, serverPID: String?) throws(BenchError) {
    guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host, !host.isEmpty else {
      throw BenchError("'\(url.prefix(100))' is not a URL like http://127.0.0.1:8080")
    }
    let bare = host.trimmingCharacters(in: ["[", "]"])
    let isLoopback = bare == "localhost" || bare == "::1" || bare.hasPrefix("127.")
    guard isLoopback || allowsRemote else {
      throw BenchError(
        "\(bare) is another machine, which a benchmark would load; --allow-remote measures it all the same")
    }
    let port = parts.port ?? 80
    self.url = "http://\(host):\(port)"
    self.host = "\(host):\(port)"
    do { address = try SocketAddress.makeAddressResolvingHost(bare, port: port) } catch {
      throw BenchError("\(bare) is not known: \(error)")
    }
    if let serverPID {
      guard let pid = Int32(serverPID), pid > 0 else {
        throw BenchError("MADANG_SERVER_PID must be a process number, found '\(serverPID.prefix(40))'")
      }
      self.pid = pid
      clock = try ProcessClock(pids: [pid])
    } else {
      pid = isLoopback ? ProcessFile.listener(port: port) : nil
      clock = try pid.map { pid throws(BenchError) in try ProcessClock(pids: [pid]) }
    }
  }
}
