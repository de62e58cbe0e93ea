import Glibc

/// Whether a broker's port can be reached, within a time: the library itself waits as long as the kernel does.
enum Reach {
  /// Why not, or `nil`.
  static func failure(to broker: MQTTBroker, within seconds: Double) -> String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(broker.host, String(broker.port), &hints, &found)
    guard result == 0 else { return String(cString: gai_strerror(result)) }
    defer { freeaddrinfo(found) }
    let end = ContinuousClock.now + .seconds(seconds)
    var last = "it has no address"
    var next = found
    while let address = next {
      next = address.pointee.ai_next
      guard let failure = failure(to: address.pointee, until: end) else { return nil }
      last = failure
    }
    return last
  }

  private static func failure(to address: addrinfo, until end: ContinuousClock.Instant) -> String? {
    let kind = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(address.ai_family, kind, address.ai_protocol)
    guard socket >= 0 else { return String(cString: strerror(errno)) }
    defer { close(socket) }
    if connect(socket, address.ai_addr, address.ai_addrlen) == 0 { return nil }
    guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
    var polled = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
    let left = ContinuousClock.now.duration(to: end)
    guard poll(&polled, 1, Int32(max(0, left / .milliseconds(1)))) > 0 else { return "it does not answer" }
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length)
    return error == 0 ? nil : String(cString: strerror(error))
  }
}
