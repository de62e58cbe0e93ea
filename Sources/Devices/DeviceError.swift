/// Why a request about devices is refused.
public enum DeviceError: Error, Sendable, Equatable {
  /// What was sent cannot be read or is not what was asked for.
  case malformed(String)
  /// Nobody proved to be somebody.
  case unauthorized(String)
  /// Who asked is known, and may not.
  case forbidden(String)
  case unknown(String)
  /// It does not fit what is known already.
  case conflict(String)
  /// Keys, certificates or records cannot be read or kept.
  case failed(String)

  /// The status of HTTP that says the same.
  public var status: Int {
    switch self {
    case .malformed: 400
    case .unauthorized: 401
    case .forbidden: 403
    case .unknown: 404
    case .conflict: 409
    case .failed: 500
    }
  }
}

extension DeviceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformed(let why), .unauthorized(let why), .forbidden(let why), .unknown(let why), .conflict(let why),
      .failed(let why):
      why
    }
  }
}
