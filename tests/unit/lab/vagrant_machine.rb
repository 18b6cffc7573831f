# Tells how doubles of a machine are reached, and clears after doubles of libvirt's; prints what came of it as JSON:
# `ruby vagrant_machine.rb RUBY_DIRECTORY DIRECTORY`.
require "vagrant"
require "json"
require "pathname"
%w[machine leftovers].each { |name| require File.join(ARGV[0], name) }

HOME = Pathname.new(ARGV[1])
KEY = HOME.join("private_key").tap { |path| path.write("") }
Talk = Struct.new(:keys) do
  def execute(_command)
    yield :stderr, "ssh-rsa AAAAnoise\n"
    yield :stdout, keys
  end
end
Said = Class.new { def info(_text) = nil }
Machine = Struct.new(:name, :id, :data_dir, :ssh_info, :communicate, :ui, :box, :provider, keyword_init: true)

def tell(name, keys, host: "127.0.0.1", port: 2222, key: KEY.to_s)
  place = HOME.join(name).tap(&:mkpath)
  info = { host: host, port: port, username: "vagrant", private_key_path: ["/nowhere", key] }
  SkiffLab::Machine.new(Machine.new(name: name, data_dir: place, ssh_info: info, communicate: Talk.new(keys), ui: Said.new)).tell
  [place.join("host.yml").read, place.join("known_hosts").read]
rescue SkiffLab::Fault => fault
  [fault.message]
end

Volume = Struct.new(:name, :size, :backing, :log) do
  def path = "/pool/#{name}"
  def delete = log << name
  def xml_desc = "<volume><physical unit='bytes'>#{size}</physical>#{"<backingStore><path>#{backing}</path></backingStore>" if backing}</volume>"
end
Pool = Struct.new(:volumes) do
  def list_volumes = volumes.map(&:name)
  def lookup_volume_by_name(name) = volumes.find { |each| each.name == name }
  def active? = true
  def refresh = nil
end
Domain = Struct.new(:name, :log) do
  def active? = true
  def destroy = log << "off #{name}"
  def undefine = log << "undefine #{name}"
end
Box = Struct.new(:name, :version, :directory)
Nest = Struct.new(:driver, :connection, :client, :list_all_domains, :list_all_storage_pools, keyword_init: true)

def clear(id:, box:, volumes:)
  log = []
  pool = Pool.new(volumes.map { |name, size, backing| Volume.new(name, size, backing, log) })
  libvirt = Nest.new(list_all_domains: %w[p-el9 p-el90 q-el9].map { |name| Domain.new(name, log) }, list_all_storage_pools: [pool])
  nest = Nest.new(driver: Nest.new(connection: Nest.new(client: libvirt)))
  SkiffLab::Leftovers.new(Machine.new(name: "el9", id: id, box: box, provider: nest, ui: Said.new), "p-").clear
  log
end

def box(size)
  directory = HOME.join("box#{size}").tap(&:mkpath)
  directory.join("box.img").write("x" * size)
  Box.new("own/el9", "1.2", directory)
end

disks = [["p-el9.img", 5], ["p-el9_1.img", 5], ["p-el90.img", 5], ["q-el9.img", 5], ["p-el9.img.bak", 5]]
boxes = [["own-VAGRANTSLASH-el9_vagrant_box_image_1.2_box.img", 50], ["other_vagrant_box_image_1.2_box.img", 50]]
puts JSON.dump(
  port: tell("port", "ssh-ed25519 AAAA one\necdsa BBBB\n"),
  plain: tell("plain", "ssh-ed25519 AAAA\n", host: "192.168.121.5", port: 22),
  keyless: tell("keyless", "ssh-ed25519 AAAA\n", key: "/none"),
  again: tell("port", "ssh-ed25519 AAAA\n", port: 2200),
  another: tell("port", "ssh-ed25519 CCCC\n"),
  mute: tell("mute", ""),
  killed: clear(id: nil, box: nil, volumes: disks),
  running: clear(id: "1", box: nil, volumes: disks),
  whole: clear(id: "1", box: box(50), volumes: boxes),
  partial: clear(id: "1", box: box(51), volumes: boxes),
  once: clear(id: "1", box: box(51), volumes: boxes),
  used: clear(id: "1", box: box(52), volumes: [*boxes, ["p-el8.img", 5, "/pool/#{boxes[0][0]}"]])
)
