import Hub
import MQTT
import NGSI

/// The hub's way out over MQTT (ETSI GS CIM 009 clause 7): a notification is published on the topic that the endpoint's
/// URI names, as `{"metadata": …, "body": …}`.
///
/// Connections are shared by all endpoints with the same broker, user and version. A broker that is dead or silent fails
/// the attempt within its time, as a receiver over HTTP does.
public struct MQTTOutlet: Sendable {
  /// Keys of `notifierInfo` (Table 7.2-1).
  static let versionKey = "MQTT-Version"
  static let qualityKey = "MQTT-QoS"

  private let connections: MQTTConnections

  /// - Parameters:
  ///   - authorities: file with the certificates to trust for `mqtts`; the system's own where it is `nil`.
  ///   - certificate: file with the certificate to show to such brokers and its key.
  public init(authorities: String? = nil, certificate: String? = nil) {
    var options = MQTTConnections.defaultOptions
    options.authorities = authorities
    options.certificate = certificate
    connections = MQTTConnections(options: options)
  }

  public func shutdown() async { await connections.close() }

  /// Connections to brokers, and how many there may be.
  public var figures: (connections: Int, bound: Int) { (connections.count, connections.bound) }
}

extension MQTTOutlet: NotificationSending {
  public func send(_ message: NotificationMessage) async -> String? {
    do throws(MQTTError) {
      let address = try MQTTAddress(message.url)
      let (version, quality) = try Self.choices(message.settings)
      let published = MQTTMessage(topic: address.topic, payload: Self.payload(message), quality: quality)
      try await connections.publish(published, to: address.broker, version: version, within: message.timeout)
      return nil
    } catch { return error.description }
  }

  public func refusal(of url: String, mediaType: String, settings: [(String, String)]) -> String? {
    do throws(MQTTError) {
      _ = try MQTTAddress(url)
      _ = try Self.choices(settings)
    } catch {
      if case .notAnAddress(let why) = error { return why }
      return error.description
    }
    // Table 7.2-2 has the other two only.
    return mediaType == MediaType.geoJSON.rawValue ? "over MQTT there is no \(mediaType)" : nil
  }

  /// What the endpoint chose of Table 7.2-1.
  static func choices(_ settings: [(String, String)]) throws(MQTTError) -> (MQTTVersion, MQTTQuality) {
    var version = MQTTVersion.v5
    var quality = MQTTQuality.atMostOnce
    for (key, value) in settings {
      switch key {
      case versionKey:
        guard let known = MQTTVersion(rawValue: value) else {
          throw .notAnAddress("\(versionKey) must be mqtt3.1.1 or mqtt5.0, found '\(value.prefix(40))'")
        }
        version = known
      case qualityKey:
        guard let known = Int(value).flatMap(MQTTQuality.init) else {
          throw .notAnAddress("\(qualityKey) must be 0, 1 or 2, found '\(value.prefix(40))'")
        }
        quality = known
      default: continue
      }
    }
    return (version, quality)
  }

  /// The notification with what HTTP would carry in headers beside it.
  static func payload(_ message: NotificationMessage) -> [UInt8] {
    var metadata = JSONObject()
    for (name, value) in message.headers { metadata[name] = .string(value) }
    var writer = JSONWriter(capacity: message.body.count + 512)
    writer.open("{")
    writer.key("metadata" as StaticString)
    writer.write(.object(metadata))
    writer.key("body" as StaticString)
    writer.json(message.body)
    writer.close("}")
    return writer.bytes
  }
}

/// Every way out that the hub has, chosen by the scheme of the endpoint.
public struct Outlets: NotificationSending {
  public let http: HTTPOutlet
  public let mqtt: MQTTOutlet

  public init(http: HTTPOutlet, mqtt: MQTTOutlet) {
    self.http = http
    self.mqtt = mqtt
  }

  public func send(_ message: NotificationMessage) async -> String? { await outlet(for: message.url).send(message) }

  public func refusal(of url: String, mediaType: String, settings: [(String, String)]) -> String? {
    let outlet = outlet(for: url)
    if outlet is HTTPOutlet, http.refusal(of: url, mediaType: mediaType, settings: settings) != nil {
      return "its 'uri' must begin with http, https, mqtt or mqtts, found '\(url.prefix(40))'"
    }
    return outlet.refusal(of: url, mediaType: mediaType, settings: settings)
  }

  public func shutdown() async {
    await http.shutdown()
    await mqtt.shutdown()
  }

  private func outlet(for url: String) -> any NotificationSending {
    switch url.prefix(while: { $0 != ":" }).lowercased() {
    case "mqtt", "mqtts": mqtt
    default: http
    }
  }
}
