/// Versions of the protocol.
public enum MQTTVersion: String, Sendable, Hashable, CaseIterable {
  case v311 = "mqtt3.1.1"
  case v5 = "mqtt5.0"
}

/// How surely a message arrives (MQTT 5.0 section 4.3).
public enum MQTTQuality: Int, Sendable, Hashable, CaseIterable {
  case atMostOnce = 0
  case atLeastOnce = 1
  case exactlyOnce = 2
}

public struct MQTTMessage: Sendable, Hashable {
  public var topic: String
  public var payload: [UInt8]
  public var quality: MQTTQuality
  public var isRetained: Bool

  public init(topic: String, payload: [UInt8], quality: MQTTQuality = .atMostOnce, isRetained: Bool = false) {
    self.topic = topic
    self.payload = payload
    self.quality = quality
    self.isRetained = isRetained
  }
}

public enum MQTTError: Error, Sendable, Hashable {
  /// The URI is no address of a topic; the text says why.
  case notAnAddress(String)
  /// No connection, or it was lost; the text says why.
  case unreachable(String)
  /// The broker said no; the text is its reason.
  case refused(String)
  /// The time that was given is over.
  case late
  /// More waits, or more brokers are in use, than may.
  case busy(String)
  /// The connection was closed here.
  case closed
}

extension MQTTError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notAnAddress(let why): "no address of an MQTT topic: \(why)"
    case .unreachable(let why): "the broker could not be reached: \(why)"
    case .refused(let why): "the broker refused: \(why)"
    case .late: "the broker did not answer in time"
    case .busy(let why): why
    case .closed: "the connection to the broker is closed"
    }
  }
}
