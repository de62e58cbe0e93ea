/// An HTTP request as far as the link looks at it.
public struct WireRequest: Sendable, Hashable {
  public struct Header: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public enum Format: String, Sendable, Hashable, CaseIterable {
    case json = "application/json"
    case form = "application/x-www-form-urlencoded"
  }

  public var headers: [Header]
  public var body: [UInt8]

  public init(headers: [Header], body: [UInt8]) {
    self.headers = headers
    self.body = body
  }

  /// The first of that name, in any case.
  public subscript(header: String) -> String? {
    headers.first { $0.name.lowercased() == header.lowercased() }?.value
  }

  /// What `Content-Type` says, without its parameters.
  var format: Format? {
    let type = self["Content-Type"]?.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
    return type.flatMap(Format.init(rawValue:))
  }

  /// The headers of the link.
  public enum Name {
    public static let service = "X-Scsns-svcTy"
    public static let sender = "X-Scsns-sendCd"
    public static let receiver = "X-Scsns-rcvCd"
    public static let system = "X-Scsns-sysCd"
    public static let isEncrypted = "X-Scsns-encAt"
    /// The session's key; empty where there is none yet.
    public static let secret = "X-Scsns-Secret"
    /// `sync`: the answer comes in the same exchange.
    public static let type = "X-Scsns-type"
  }
}
